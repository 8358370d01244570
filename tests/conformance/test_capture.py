"""Capture settings to rules: what istio-iptables would run, and the nftables transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agent.capture.binaries import Tool
from agent.capture.iptables import Line, render_commands, render_restore
from agent.capture.iptables_apply import Manner, apply_iptables
from agent.capture.nftables import Entry, nftables_entries, render_transaction, settle
from agent.capture.plan import plan_capture
from agent.capture.processes import Outcome
from agent.capture.rules import Family
from agent.capture.settings import CaptureSettings, HostFacts, load_capture_settings
from tests.kit.conformance import Case, cases

# Settings whose names differ from ours, by flag field or by variable.
_FIELDS = {
    "proxy_port": "outbound_port",
    "inbound_capture_port": "inbound_port",
    "inbound_tunnel_port": "tunnel_port",
    "proxy_uid": "uids",
    "proxy_gid": "gids",
    "inbound_interception_mode": "mode",
    "inbound_tproxy_mark": "tproxy_mark",
    "inbound_tproxy_route_table": "tproxy_route_table",
    "inbound_ports_include": "inbound_ports",
    "inbound_ports_exclude": "excluded_inbound_ports",
    "outbound_ports_include": "outbound_ports",
    "outbound_ports_exclude": "excluded_outbound_ports",
    "outbound_ip_ranges_include": "outbound_ranges",
    "outbound_ip_ranges_exclude": "excluded_outbound_ranges",
    "reroute_virtual_interfaces": "virtual_interfaces",
    "exclude_interfaces": "excluded_interfaces",
}
_VARIABLES = {
    "owner_groups_include": "ISTIO_OUTBOUND_OWNER_GROUPS",
    "owner_groups_exclude": "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE",
    "host_ipv4_loopback_cidr": "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR",
}
_HOST = {"enable_ipv6", "dns_servers_v4", "dns_servers_v6"}


def _settings(case: Case) -> CaptureSettings:
    config: Mapping[str, Any] = {**case["defaults"], **case["config"]}
    host = HostFacts(
        families=frozenset({Family.IPV6 if config["enable_ipv6"] else Family.IPV4}),
        dns_servers=(*config["dns_servers_v4"], *config["dns_servers_v6"]),
    )
    given = {_FIELDS.get(key, key): value for key, value in config.items() if key not in (*_VARIABLES, *_HOST)}
    environ = {_VARIABLES[key]: value for key, value in config.items() if key in _VARIABLES}
    return load_capture_settings(given, environ, host)[0]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


class _Recorder:
    """Runs nothing, finds nothing, and keeps what it was asked: commands, or what they would read."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def run(self, command: Sequence[str], *, stdin: str = "") -> Outcome:
        self.lines += stdin.splitlines() if stdin else [" ".join(command)]
        return Outcome()


@pytest.mark.parametrize("case", cases("capture-iptables"))
def test_iptables(case: Case) -> None:
    """A look at what is there, a restore file for each family in use, a look at what came of it."""
    settings, recorder = _settings(case), _Recorder()
    families = frozenset(Family) if settings.ipv6 else frozenset({Family.IPV4})
    tools = [Tool(family=Family.IPV4, name="iptables"), Tool(family=Family.IPV6, name="ip6tables")]
    apply_iptables(plan_capture(settings), tools, families, recorder, manner=Manner.KEEP)
    assert recorder.lines == _lines(case.text(case["expected"]))


@pytest.mark.parametrize("case", cases("capture-nftables"))
def test_nftables(case: Case) -> None:
    """The transaction, line by line."""
    transaction = render_transaction(nftables_entries(plan_capture(_settings(case))))
    assert _lines(transaction) == _lines(case.text(case["expected"]))


@pytest.mark.parametrize("case", cases("capture-iptables/builder"))
def test_iptables_builder(case: Case) -> None:
    """Rules as single commands and as a restore file; nothing for a family without rules."""
    for family, expected in case["expected"].items():
        lines = [
            Line(
                table=rule["table"],
                chain=rule["chain"],
                arguments=tuple(rule["args"]),
                position=rule.get("position"),
            )
            for rule in case["rules"]
            if rule["family"] == family
        ]
        commands = "\n".join(" ".join(command) for command in render_commands(lines))
        assert _lines(commands) == _golden(case, expected["commands"])
        assert _lines(render_restore(lines)) == _golden(case, expected["restore"])


def _golden(case: Case, name: str | None) -> list[str]:
    return _lines(case.text(name)) if name else []


@pytest.mark.parametrize("case", cases("capture-nftables/builder"))
def test_nftables_builder(case: Case) -> None:
    """What lies in the chains after the transaction, insertions in their place."""
    entries = [
        Entry(table=rule["table"], chain=rule["chain"], words=tuple(rule["args"]), index=rule.get("index"))
        for rule in case["rules"]
    ]
    assert _ruleset(entries) == _lines(case.text(case["expected"]))


def _ruleset(entries: Sequence[Entry]) -> list[str]:
    text = []
    for table, chains in settle(entries).items():
        text += [f"add table inet {table}", *(f"add chain inet {table} {chain}" for chain in chains)]
        text += [f"add rule inet {table} {chain} {' '.join(rule)}" for chain, rules in chains.items() for rule in rules]
    return text
