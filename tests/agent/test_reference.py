"""The reference pages are what the program's tables say."""

from __future__ import annotations

import re
from pathlib import Path

from agent.cli import cli
from agent.dns.metrics import DnsMetrics
from agent.environment import variables
from agent.metrics import Registry
from agent.process_metrics import ProcessMetrics
from agent.reference import render_reference
from agent.sds.metrics import SecretMetrics
from agent.status.metrics import StatusMetrics
from agent.xds_proxy.metrics import RelayMetrics

DOCS = Path(__file__).parents[2] / "docs" / "reference"
PAGE = DOCS / "pilot-agent.md"
METRICS_PAGE = DOCS / "observability.md"
METRICS_TABLE = "| metric of the agent | kind | meaning |\n|---|---|---|\n"


def test_page_is_current(update_goldens: bool) -> None:
    """`make goldens` rewrites it."""
    if update_goldens:
        PAGE.write_text(render_reference(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == render_reference()


def test_nothing_is_left_out() -> None:
    """Each command, flag and variable has its line."""
    page = render_reference()
    names = [f"`pilot-agent {name}" for name in cli.commands]
    names += [
        f"`{option}`"
        for command in cli.commands.values()
        for param in command.params
        for option in param.opts
        if option.startswith("-")
    ]
    names += [f"| `{variable.name}` |" for _, variable, _, _ in variables()]
    assert [name for name in names if name not in page] == []


def metrics_rows() -> str:
    """A line for each metric of the agent, in the order of a scrape."""
    registry = Registry()
    registry.register(ProcessMetrics("istio_agent_process"))
    SecretMetrics(registry).seconds_to_expiry = lambda: 0.0  # it is told only while there is a certificate
    for kind in (DnsMetrics, RelayMetrics, StatusMetrics):
        kind(registry)
    text = registry.render().decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE))
    labels = {name: sorted(set(re.findall(rf"^{name}\{{(\w+)=", text, re.MULTILINE))) for name in kinds}
    return "".join(
        f"| `{name}{'{' + ', '.join(labels[name]) + '}' if labels[name] else ''}` | {kind} | {helps[name]} |\n"
        for name, kind in kinds.items()
    )


def test_the_agents_metrics_are_told(update_goldens: bool) -> None:
    """Each with its labels and meaning; `make goldens` rewrites the table."""
    head, mark, rest = METRICS_PAGE.read_text(encoding="utf-8").partition(METRICS_TABLE)
    assert mark
    if update_goldens:
        METRICS_PAGE.write_text(head + mark + metrics_rows() + "\n" + rest.partition("\n\n")[2], encoding="utf-8")
        rest = metrics_rows() + "\n"
    assert rest.partition("\n\n")[0] + "\n" == metrics_rows()
