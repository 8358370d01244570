"""The reference page of ``pilot-agent``, made from the very tables that the program reads its settings by."""

from __future__ import annotations

from typing import Any

import click

from agent.capture.flags import VARIABLES
from agent.cli import cli
from agent.environment import Seconds, variables

__all__ = ["render_reference"]

_HEAD = """# pilot-agent

Made from the program's own tables; `make goldens` rewrites it. Unknown flags are ignored with a warning, so manifests
of other versions keep working. Errors end with status 255 and a line for each finding.
"""

_ENVIRONMENT = """## Environment of `pilot-agent proxy`

Durations are written as `300ms`, `5s`, `1h30m`. A value that cannot be read gives the default and a warning. Besides
these, `ISTIO_META_<KEY>` and `ISTIO_METAJSON_<KEY>` become metadata of the node, `XDS_HEADER_<NAME>` and
`CA_HEADER_<NAME>` headers of calls to the control plane and to the CA.

| variable | type | default | meaning |
|---|---|---|---|"""

_CAPTURE_ENVIRONMENT = """## Environment of `pilot-agent istio-iptables`

Flags name their variables above; these have no flag. Status 0: done. 1: rules could not be applied. 126: the self-test
found that traffic is not captured.

| variable | default | meaning |
|---|---|---|"""

_KINDS = {str: "text", int: "number", float: "number", bool: "true or false", Seconds: "duration"}


def render_reference() -> str:
    """Markdown: every command with its flags by group, then every environment variable."""
    lines = [_HEAD]
    context = click.Context(cli)
    for name in cli.list_commands(context):  # also those that are read only when called
        command = cli.get_command(context, name)
        lines += _command(name, command) if command else []
    lines.append(_ENVIRONMENT)
    for _, variable, kind, default in variables():
        kind_text = _KINDS.get(kind, "true or false")
        lines.append(f"| `{variable.name}` | {kind_text} | {_default(default, kind)} | {_cell(variable.doc)} |")
    lines += ["", _CAPTURE_ENVIRONMENT]
    lines += [f"| `{name}` | {_default(default)} | {_cell(text)} |" for name, _, default, text in VARIABLES]
    return "\n".join(lines) + "\n"


def _command(name: str, command: click.Command) -> list[str]:
    arguments = " ".join(
        param.make_metavar(click.Context(command)) for param in command.params if isinstance(param, click.Argument)
    )
    lines = [f"## {' '.join(filter(None, (f'`pilot-agent {name}', arguments)))}`", "", str(command.help), ""]
    options = [param for param in command.params if isinstance(param, click.Option)]
    groups = list(dict.fromkeys(getattr(option, "group", "Options") for option in options))
    for group in groups:
        if len(groups) > 1:
            lines += [f"### {group}", ""]
        lines += ["| flag | default | meaning |", "|---|---|---|"]
        for option in options:
            if getattr(option, "group", "Options") == group:
                names = ", ".join(f"`{text}`" for text in (*option.opts, *option.secondary_opts))
                lines.append(f"| {names} | {_default(option.default)} | {_cell(option.help or '')} |")
        lines.append("")
    return lines


def _default(value: Any, kind: Any = str) -> str:
    if not isinstance(value, str | int | float) or value == "":  # click marks what is unset by an object of its own
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}s`" if kind is Seconds else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
