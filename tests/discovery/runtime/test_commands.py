from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from discovery.runtime.commands import GroupedCommand, GroupedOption, drop_unknown_flags, spell_flags

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


_SWITCHES = {"--value": True, "-o": True, "--flag": False, "--no-flag": False, "-n": False, "--plain": False}


@pytest.mark.parametrize(
    ("args", "spelled"),
    [
        (["-p15001", "-o15001", "-o=json", "-o", "-n=x"], ["-p15001", "-o", "15001", "-o", "json", "-o", "-n=x"]),
        (["-no", "json", "-n"], ["-n", "-o", "json", "-n"]),
        (["-nojson"], ["-n", "-o", "json"]),
        (["--flag=true", "--flag=F", "-n=0", "--plain=1"], ["--flag", "--no-flag", "--no-flag", "--plain"]),
        (["--plain=false", "sidecar"], ["sidecar"]),
        (["--value=a=b", "--value", "--flag=x", "--old=x"], ["--value=a=b", "--value", "--flag=x", "--old=x"]),
        (["--", "--flag=true", "-o1"], ["--", "--flag=true", "-o1"]),
        (["-", "-n", "-o"], ["-", "-n", "-o"]),
    ],
)
def test_spellings_of_other_programs(args: list[str], spelled: list[str]) -> None:
    """Switches with values, letters with values attached, several letters in one; values and unknown flags stay."""
    assert spell_flags(args, _SWITCHES, {"--flag": "--no-flag", "-n": "--no-flag"}) == spelled


@pytest.mark.parametrize("arg", ["--flag=maybe", "-n=", "--plain=yes"])
def test_a_switch_is_true_or_false(arg: str) -> None:
    """Anything else would mean one of them by guess."""
    with pytest.raises(click.BadParameter, match="want true or false"):
        spell_flags([arg], _SWITCHES, {})


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


def test_a_switch_takes_a_value() -> None:
    """As manifests for Istio's programs have it."""
    said: list[object] = []
    for args, flag in ((["--flag=true"], True), (["--flag=false"], False)):
        result = CliRunner().invoke(_command(said), args)
        assert result.exit_code == 0, result.output
        assert said.pop() == ({"value": "d", "flag": flag}, [])
    assert CliRunner().invoke(_command(said), ["--flag=perhaps"]).exit_code == 2


def test_help_is_in_groups_with_defaults() -> None:
    """In the order of declaration."""
    text = CliRunner().invoke(_command([]), ["--help"]).output
    assert text.index("Things:") < text.index("--value") < text.index("[default: d]") < text.index("Switches:")
