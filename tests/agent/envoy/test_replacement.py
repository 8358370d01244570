from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.envoy.admin import EnvoyAdmin
from agent.envoy.hot_restart import HotRestart
from agent.envoy.replacement import Replacement, run_briefly
from discovery.runtime.http import Response
from discovery.runtime.process import Output, Process, ProcessSpec
from tests.kit.admin import ScriptedAdmin, serving

LIVE = Response(body=b'{"state": "LIVE", "command_line_options": {"restart_epoch": 1}}')
EARLY = Response(body=b'{"state": "INITIALIZING", "command_line_options": {"restart_epoch": 1}}')
OTHER = Response(body=b'{"state": "LIVE", "command_line_options": {}}')


def _process(script: str = "exec sleep 60") -> Process:
    return Process(ProcessSpec(name="envoy", argv=("/bin/sh", "-c", script), output=Output.DISCARD))


def _program(directory: Path, script: str) -> Path:
    path = directory / "envoy"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


class _Bench:
    def __init__(self, replacement: Replacement, current: Process, admin: ScriptedAdmin) -> None:
        self.replacement, self.current, self.admin = replacement, current, admin
        self.epochs: list[int] = []
        self.asked = asyncio.Event()
        replacement.tell_epochs(self.epochs.append)

    async def bring_up(self, successor: Process) -> bool:
        return await self.replacement.bring_up(successor, epoch=1, current=self.current, asked=self.asked)


@asynccontextmanager
async def _bench(directory: Path, script: str = "echo 1.2", info: Response = LIVE) -> AsyncIterator[_Bench]:
    admin = ScriptedAdmin(server_info=info)
    options = HotRestart(base_id=1, socket_path=str(directory / "hot"), parent_shutdown_s=1)
    async with serving(admin) as target, _process() as current:
        argv = (str(_program(directory, script)), "-c", "file")
        yield _Bench(Replacement(options, argv, EnvoyAdmin(target)), current, admin)


async def test_what_programs_say() -> None:
    """Success and text; a program that is not there is a text, too."""
    assert await run_briefly(("/bin/sh", "-c", "echo a; exit 1")) == (False, "a")
    succeeded, said = await run_briefly(("/nowhere",))
    assert not succeeded
    assert "No such file" in said


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 1.2", ""),
        ("echo 1.3", "protocol 1.3, the running one by 1.2"),
        ("exit 127", "does not run"),
        ('case "$*" in *validate*) echo no such field; exit 1;; esac; echo 1.2', "no such field"),
    ],
)
async def test_the_binary_is_tried_first(tmp_path: Path, script: str, words: str) -> None:
    """Whether it runs, hands over by the same protocol, and takes the configuration."""
    async with _bench(tmp_path) as bench:
        await bench.replacement.remember()
        _program(tmp_path, script)
        found = await bench.replacement.objection()
        assert words in found
        assert bool(words) == bool(found)


async def test_a_successor_that_serves(tmp_path: Path) -> None:
    """It is served configuration from its start; the one before still runs."""
    async with _bench(tmp_path) as bench, _ended(_process()) as successor:
        assert await bench.bring_up(successor)
        assert bench.epochs == [1]
        assert bench.current.exit is None


@asynccontextmanager
async def _ended(process: Process) -> AsyncIterator[Process]:
    """Start is the replacement's; the end is ours."""
    try:
        yield process
    finally:
        process.kill_now()
        if process.pid is not None:
            await process.wait()  # or it would be collected when its loop is gone, with a warning in another test


async def test_who_answers_must_be_the_successor_and_live(tmp_path: Path) -> None:
    """Neither the running one nor a successor that still begins is enough."""
    async with _bench(tmp_path, info=OTHER) as bench, _ended(_process()) as successor, asyncio.TaskGroup() as group:
        task = group.create_task(bench.bring_up(successor))
        await bench.admin.asked_times("/server_info", 2)
        bench.admin.answers["/server_info"] = EARLY
        await bench.admin.asked_times("/server_info", 4)
        assert not task.done()
        bench.admin.answers["/server_info"] = LIVE
        assert await task


@pytest.mark.parametrize("reason", ["it dies", "it cannot be started", "the running one dies", "the agent ends"])
async def test_the_running_one_goes_on(tmp_path: Path, reason: str) -> None:
    """Whatever happens to the successor: it is ended, and configuration goes to the running one again."""
    missing = Process(ProcessSpec(name="envoy", argv=("/nowhere",)))
    successor = {"it dies": _process("exit 1"), "it cannot be started": missing}.get(reason, _process())
    async with _bench(tmp_path, info=OTHER) as bench, _ended(successor):
        if reason == "the running one dies":
            bench.current.kill()
        if reason == "the agent ends":
            bench.asked.set()
        assert not await bench.bring_up(successor)
        assert bench.epochs == [1, 0]
        if reason != "it cannot be started":
            await successor.wait()
