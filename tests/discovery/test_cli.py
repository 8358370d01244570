"""The command line of `pilot-discovery`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from discovery import cli as module
from discovery.cli import cli
from discovery.runtime.logs import Logger, configure_logging
from discovery.settings import FLAGS, Settings


@pytest.fixture(autouse=True)
def logging_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The program sets up logging of the whole process; the next test finds it as it was."""
    monkeypatch.setattr(Logger, "backend", Logger.__dict__["backend"])
    configure_logging()
    yield
    structlog.reset_defaults()


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, args)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that the control plane would have been started with."""
    found: list[Settings] = []

    async def record(settings: Settings) -> int:
        found.append(settings)
        return 0

    monkeypatch.setattr(module, "run_discovery", record)
    monkeypatch.setattr(module, "process_environ", dict)
    return found


def test_help_groups_flags_with_their_defaults() -> None:
    """Each group once, each flag with its default."""
    shown = run("discovery", "--help").output
    for group in {flag.group for flag in FLAGS}:
        assert group.split(" (")[0] in shown
    for flag in FLAGS:
        assert flag.names[0] in shown
    assert "[default: :15010]" in " ".join(shown.split())


def test_flags_of_istiod_start_it(started: list[Settings], tmp_path: Path) -> None:
    """In either spelling, with and without `=`."""
    done = run("discovery", f"--configDir={tmp_path}", "--grpcAddr", "127.0.0.1:0", "--clusterID", "east")
    assert done.exit_code == 0, done.output
    assert run("discovery", "--config-dir", str(tmp_path)).exit_code == 0
    assert [settings.config_dir for settings in started] == [str(tmp_path)] * 2
    assert started[0].cluster_id == "east"


def test_unknown_flags_are_ignored_with_a_warning(started: list[Settings], tmp_path: Path) -> None:
    """A manifest of another version still starts; the log names the flag."""
    done = run("discovery", "--configDir", str(tmp_path), "--ctrlz_port", "9876", "--newFlag=1")
    assert done.exit_code == 0
    assert len(started) == 1
    assert "ctrlz_port" in done.output
    assert "newFlag" in done.output


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ([], "no source of configuration: give --configDir"),
        (["--configDir", "x", "--grpcAddr", "nonsense"], "--grpcAddr 'nonsense': want host:port"),
        (["--configDir", "x", "--keepaliveInterval", "soon"], "'soon' is no duration"),
        (["--configDir", "x", "--log_output_level", "default:loud"], "loud"),
    ],
)
def test_what_it_cannot_start_with_is_said(started: list[Settings], args: list[str], text: str) -> None:
    """Exit status 2, all reasons, and nothing starts."""
    done = run("discovery", *args)
    assert done.exit_code == 2
    assert text in done.output
    assert started == []


def test_exit_status_is_that_of_the_control_plane(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever supervises it sees the failure."""

    async def fail(settings: Settings) -> int:
        return 1

    monkeypatch.setattr(module, "run_discovery", fail)
    assert run("discovery", "--configDir", str(tmp_path)).exit_code == 1


def test_version() -> None:
    """One line."""
    assert run("version").output.count("\n") == 1


async def test_request_prints_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """As `istiod request GET /debug/syncz` does; an error status is exit status 1."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status = "200 OK" if head.startswith("GET /debug/syncz ") else "500 Broken"
        body = json.dumps(head.splitlines()[0]).encode()
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]

        def ask(*args: Any) -> Result:
            return run("request", *args, "--port", str(port))

        good = await asyncio.to_thread(ask, "get", "debug/syncz")
        bad = await asyncio.to_thread(ask, "post", "/else")
    assert (good.exit_code, good.output) == (0, '"GET /debug/syncz HTTP/1.1"')
    assert bad.exit_code == 1


def test_request_without_a_control_plane_says_so() -> None:
    """Exit status 1 and a sentence."""
    done = run("request", "GET", "/ready", "--port", "1")
    assert done.exit_code == 1
    assert "127.0.0.1:1" in done.output
