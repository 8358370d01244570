from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import pytest

from discovery.runtime.process import ProcessSpec
from examples.demo import fleet as fleet_module
from examples.demo.errors import DemoError
from examples.demo.fleet import Fleet, left_over, living
from tests.kit.eventually import eventually

SLEEP = ProcessSpec(name="sleeper", argv=("sleep", "60"))


def _mark() -> str:
    return f"test-{os.getpid()}-{os.urandom(4).hex()}"


async def test_processes_are_seen_while_they_live(tmp_path: Path) -> None:
    """Also the children of children, by the mark that they inherit; after the end none is left."""
    mark = _mark()
    parent = ProcessSpec(name="parent", argv=("sh", "-c", "sleep 60 & echo started; wait"))
    async with asyncio.TaskGroup() as group:
        fleet = Fleet(group, tmp_path, mark=mark)
        await fleet.start([parent, SLEEP])
        await eventually(lambda: "started" in fleet.log_of("parent").read_text())

        def commands() -> list[str]:
            return sorted(resident.command.split()[0] for resident in living(mark))

        await eventually(lambda: commands() == ["sh", "sleep", "sleep"])  # for a moment they are what starts them
        await fleet.stop()
    assert await left_over(mark) == ()


async def test_an_end_that_nobody_asked_for_fails_the_demo(tmp_path: Path) -> None:
    """With the name and the log of the process, and all others are ended."""
    mark = _mark()

    async def demo() -> None:
        async with asyncio.TaskGroup() as group:
            fleet = Fleet(group, tmp_path, mark=mark)
            try:
                await fleet.start([SLEEP, ProcessSpec(name="faller", argv=("sh", "-c", "echo why; exit 3"))])
                await asyncio.Event().wait()
            finally:
                await fleet.stop()

    with pytest.raises(ExceptionGroup) as failed:
        await demo()
    (error,) = failed.value.exceptions
    assert isinstance(error, DemoError)
    assert "faller ended by itself" in str(error)
    assert error.log is not None
    assert error.log.read_text() == "why\n"
    assert await left_over(mark) == ()


async def test_who_does_not_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, with the process id; a killed process may be seen for a moment, so one look is not enough."""
    monkeypatch.setattr(fleet_module, "_LOOKS", 1)
    mark = _mark()
    async with asyncio.TaskGroup() as group:
        fleet = Fleet(group, tmp_path, mark=mark)
        (process,) = await fleet.start([SLEEP])
        found = await left_over(mark)
        await fleet.stop()
    assert [resident.pid for resident in found] == [process.pid]


async def _environment_seen(directory: Path) -> str:
    shown = "import os; print(*(os.environ.get(name) for name in ('ISTIO_META_NETWORK', 'EXTRA', 'TMPDIR')))"
    spec = ProcessSpec(name="shower", argv=(sys.executable, "-uc", f"{shown}; import time; time.sleep(60)"))
    async with asyncio.TaskGroup() as group:
        fleet = Fleet(group, directory, mark=_mark())
        await fleet.start([spec], environment={"shower": {"EXTRA": "set"}})
        await eventually(lambda: fleet.log_of("shower").read_text().endswith("\n"))
        await fleet.stop()
    return fleet.log_of("shower").read_text().strip()


async def test_the_environment_is_only_what_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable of the user's shell cannot configure the programs; temporary files stay in the demo's directory."""
    monkeypatch.setenv("ISTIO_META_NETWORK", "surprise")
    with tempfile.TemporaryDirectory(prefix="fleet-") as directory:
        assert await _environment_seen(Path(directory)) == f"None set {directory}/tmp"


async def test_a_long_path_is_no_place_for_temporary_files(tmp_path: Path) -> None:
    """Programs make Unix sockets there, whose paths are limited; the system's default place will do."""
    directory = tmp_path / ("x" * 60)
    directory.mkdir()
    assert await _environment_seen(directory) == "None set None"


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Before anything waits for it."""
    async with asyncio.TaskGroup() as group:
        fleet = Fleet(group, tmp_path, mark=_mark())
        with pytest.raises(DemoError, match="cannot start ghost"):
            await fleet.start([ProcessSpec(name="ghost", argv=(str(tmp_path / "ghost"),))])
        await fleet.stop()
