"""The reference page of ``pilotctl``, made from the very commands that the program runs."""

from __future__ import annotations

from collections.abc import Iterator

import click

from discovery.ctl.cli import cli

__all__ = ["render_reference"]

_HEAD = """# pilotctl

Made from the program's own commands; `make goldens` rewrites it. It speaks HTTP to the debug endpoints of a control
plane ([debug.md](debug.md)) or reads files; nothing else is asked and nothing is changed.

Exit status: 0 all is well; 1 something is wrong, and said; 2 the command was typed wrongly.
"""


def render_reference() -> str:
    """Markdown: every command with its help."""
    return _HEAD + "".join(_sections(cli, click.Context(cli, info_name="pilotctl", **cli.context_settings)))


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from _sections(found, click.Context(found, info_name=name, parent=context))
        return
    context.terminal_width = 100
    yield f"\n## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
