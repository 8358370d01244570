from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from agent.capture.commands import clean_command, iptables_command
from agent.cli import cli
from agent.settings import SettingsError


def test_dry_run_prints_commands_and_what_they_read() -> None:
    """As they would be run; the injector's arguments as they are, with flags of other versions."""
    injected = [
        "-p",
        "15001",
        "-z",
        "15006",
        "-u",
        "1337",
        "-m",
        "REDIRECT",
        "-i",
        "*",
        "-x",
        "",
        "-b",
        "*",
        "-d",
        "15090,15021,15020",
    ]
    result = CliRunner().invoke(iptables_command, [*injected, "--of-another-version", "-n"])
    assert result.exit_code == 0, result.output
    assert "iptables-restore --noflush\n* nat\n-N ISTIO_INBOUND\n" in result.output
    assert "-A ISTIO_INBOUND -p tcp --dport 15020 -j RETURN\n" in result.output
    assert "-A ISTIO_OUTPUT -j ISTIO_REDIRECT\nCOMMIT\n" in result.output


@pytest.mark.parametrize(
    ("flag", "mangled"), [("--drop-invalid", True), ("--drop-invalid=true", True), ("--drop-invalid=false", False)]
)
def test_switches_may_have_values(flag: str, mangled: bool) -> None:
    """Manifests have either form; false beats the environment."""
    result = CliRunner().invoke(iptables_command, ["-n", flag], env={"INVALID_DROP": "true"})
    assert ("* mangle" in result.output) is mangled


def test_variables_are_read() -> None:
    """The injector passes proxy metadata that way."""
    result = CliRunner().invoke(iptables_command, ["-n"], env={"ISTIO_INBOUND_PORTS": "8080"})
    assert "--dport 8080 -j ISTIO_IN_REDIRECT" in result.output


def test_mistakes_end_before_anything_is_run() -> None:
    """All of them, to be printed one by one."""
    result = CliRunner().invoke(iptables_command, ["-b", "http", "-q", "https"])
    assert isinstance(result.exception, SettingsError)
    assert len(result.exception.findings) == 2
    missing = CliRunner().invoke(iptables_command, ["--network-namespace", "/nonexistent"])
    assert "network namespace /nonexistent: No such file" in str(missing.exception)


def test_clean_command_only_cleans() -> None:
    """Nothing is made."""
    result = CliRunner().invoke(clean_command, ["-n"])
    assert result.exit_code == 0
    assert "restore" not in result.output
    assert "iptables-save" in result.output


def test_commands_are_part_of_the_program() -> None:
    """With flags by group, their variables and defaults."""
    text = CliRunner().invoke(cli, ["istio-iptables", "--help"]).output
    for words in ("Inbound:", "-b, --istio-inbound-ports", "[$ISTIO_INBOUND_PORTS]", "[default: 15006]"):
        assert words in text
    assert "istio-clean-iptables" in CliRunner().invoke(cli, ["--help"]).output


def test_a_running_agent_does_not_load_capture() -> None:
    """It would be memory in every pod."""
    code = "import agent.cli, agent.app, sys; sys.exit(any(name.startswith('agent.capture') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
