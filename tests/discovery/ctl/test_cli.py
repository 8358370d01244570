"""The command line of `pilotctl`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.kit.ctl import pilotctl

COMMANDS = ["analyze", "experimental", "explain", "proxy-config", "proxy-status", "validate", "version"]


def test_help_names_all_commands() -> None:
    """Each with what it does."""
    shown = pilotctl("--help")
    assert shown.exit_code == 0
    for command in COMMANDS:
        assert f"  {command} " in shown.output


@pytest.mark.parametrize(
    ("args", "command"),
    [
        (("ps",), "proxy-status"),
        (("pc",), "proxy-config"),
        (("x", "dev-token"), "dev-token"),
        (("pc", "listeners"), "listener"),
        (("proxy-config", "ep"), "endpoint"),
    ],
)
def test_short_names(args: tuple[str, ...], command: str) -> None:
    """Those that fingers know."""
    shown = pilotctl(*args, "--help")
    assert shown.exit_code == 0
    assert command in shown.output.splitlines()[0]


def test_unknown_command_is_a_usage_error() -> None:
    """Exit status 2, unlike a failure."""
    assert pilotctl("dance").exit_code == 2


def test_it_imports_nothing_that_serves() -> None:
    """It starts fast and works where the server's dependencies are not installed."""
    code = "import sys, discovery.ctl.cli; print([m for m in ('grpc', 'aiohttp', 'discovery.app') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
