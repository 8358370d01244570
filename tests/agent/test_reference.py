"""The reference page is what the program's tables say."""

from __future__ import annotations

from pathlib import Path

from agent.cli import cli
from agent.environment import variables
from agent.reference import render_reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "pilot-agent.md"


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
