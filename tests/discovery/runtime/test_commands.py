from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from discovery.runtime.commands import GroupedCommand, GroupedOption, drop_unknown_flags

_KNOWN = {"--value": True, "--flag": False, "-o": True}


@pytest.mark.parametrize(
    ("args", "kept", "dropped"),
    [
        (["sidecar", "--value", "x"], ["sidecar", "--value", "x"], []),
        (["--old=1", "sidecar"], ["sidecar"], ["--old"]),
        (["--old", "1", "sidecar"], ["sidecar"], ["--old"]),
        (["--old", "--flag", "sidecar"], ["--flag", "sidecar"], ["--old"]),
        (["--value", "--old", "sidecar"], ["--value", "--old", "sidecar"], []),
        (["--flag", "sidecar", "--old"], ["--flag", "sidecar"], ["--old"]),
        (["--", "--old"], ["--", "--old"], []),
        (["-x", "-o", "json", "-"], ["-o", "json", "-"], ["-x"]),
    ],
)
def test_unknown_flags_go_with_their_values(args: list[str], kept: list[str], dropped: list[str]) -> None:
    """Known flags keep theirs, whatever these look like."""
    assert drop_unknown_flags(args, _KNOWN) == (kept, dropped)


def _command(said: list[object]) -> GroupedCommand:
    def act(**values: object) -> None:
        said.append((values, click.get_current_context().meta["unknown_flags"]))

    return GroupedCommand(
        "act",
        callback=act,
        params=[
            GroupedOption(["--value"], group="Things", default="d", help="A thing."),
            GroupedOption(["--flag"], group="Switches", is_flag=True, help="A switch."),
        ],
    )


def test_unknown_flags_do_not_stop_a_command() -> None:
    """It runs, and can tell which they were."""
    said: list[object] = []
    result = CliRunner().invoke(_command(said), ["--gone", "x", "--value", "v"])
    assert result.exit_code == 0, result.output
    assert said == [({"value": "v", "flag": False}, ["--gone"])]


def test_help_is_in_groups_with_defaults() -> None:
    """In the order of declaration."""
    text = CliRunner().invoke(_command([]), ["--help"]).output
    assert text.index("Things:") < text.index("--value") < text.index("[default: d]") < text.index("Switches:")
