from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.envoy.admin import EnvoyAdmin
from agent.envoy.ending import DrainPolicy, Reason
from agent.envoy.supervisor import EnvoySupervisor
from discovery.runtime.http import Response
from discovery.runtime.process import Output, Process, ProcessSpec
from tests.kit.admin import ScriptedAdmin, serving
from tests.kit.eventually import eventually

_SHORT = DrainPolicy(wait_s=0.01)


class _Running:
    def __init__(self, supervisor: EnvoySupervisor, admin: ScriptedAdmin, over: asyncio.Event) -> None:
        self.supervisor, self.admin, self.over = supervisor, admin, over

    @property
    def drains(self) -> list[str]:
        """The queries of the drains that were asked for."""
        asked = [request for request in self.admin.asked if request.path == "/drain_listeners"]
        return ["&".join(name for name, _ in request.query) for request in asked]


@asynccontextmanager
async def _running(
    script: str = "exec sleep 60",
    policy: DrainPolicy = _SHORT,
    *,
    max_restarts: int = 0,
    **answers: Response,
) -> AsyncIterator[_Running]:
    handler = ScriptedAdmin(**{"drain_listeners": Response(body=b"OK\n"), **answers})
    spec = ProcessSpec(name="envoy", argv=("/bin/sh", "-c", script), output=Output.DISCARD)
    over = asyncio.Event()
    async with serving(handler) as target:
        supervisor = EnvoySupervisor(
            lambda _epoch: Process(spec),
            EnvoyAdmin(target),
            policy,
            own_ports=(15021,),
            max_restarts=max_restarts,
            over=over,
            monotonic=time.monotonic,
        )
        async with supervisor, asyncio.TaskGroup() as group:
            task = group.create_task(supervisor.run())
            yield _Running(supervisor, handler, over)
            task.cancel()


async def test_a_signal_drains_closes_and_kills() -> None:
    """In this order, and the end is one that we asked for."""
    async with _running() as run:
        run.supervisor.request_end(Reason.SIGNAL)
        await run.over.wait()
        assert run.drains == ["inboundonly&graceful", "inboundonly"]
        assert run.supervisor.exit is not None
        assert (run.supervisor.exit.signal, run.supervisor.exit.asked) == (signal.SIGKILL, True)


async def test_quit_does_not_drain() -> None:
    """The job is done; nobody is left to wait for."""
    async with _running() as run:
        run.supervisor.request_end(Reason.QUIT)
        run.supervisor.request_end(Reason.SIGNAL)  # the first reason counts
        await run.over.wait()
        assert run.drains == []


async def test_a_prepared_drain_is_not_repeated() -> None:
    """/drain, then SIGTERM: one drain without exit, and no second wait."""
    async with _running(policy=DrainPolicy(wait_s=60)) as run:
        await run.supervisor.drain()
        assert not run.over.is_set()
        run.supervisor.request_end(Reason.SIGNAL)
        await run.over.wait()
        assert run.drains == ["inboundonly&graceful&skip_exit"]


async def test_a_crash_ends_the_agent() -> None:
    """An Envoy that dies by itself is over at once, and says how."""
    async with _running("kill -SEGV $$") as run:
        await run.over.wait()
        assert str(run.supervisor.exit) == "killed by SIGSEGV"


async def test_a_crash_may_be_followed_by_another_envoy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As often as told, with growing delays; then the agent ends."""
    monkeypatch.setattr("agent.envoy.crashes._FIRST_DELAY_S", 0.01)
    async with _running("exit 1", max_restarts=3) as run:
        await run.over.wait()
        assert run.supervisor.lives == 4


async def test_which_envoy_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None from its death on, until the next one has been started."""
    monkeypatch.setattr("agent.envoy.crashes._FIRST_DELAY_S", 0.2)
    script = f"cd {tmp_path}; test -e second && exec sleep 60; touch second; while test ! -e go; do :; done; exit 1"
    async with _running(script, max_restarts=1) as run:
        assert run.supervisor.life == 1
        (tmp_path / "go").touch()
        await eventually(lambda: run.supervisor.life is None)
        await eventually(lambda: run.supervisor.life == 2)


async def test_no_other_envoy_once_the_end_was_asked_for() -> None:
    """Not even while waiting for its time."""
    async with _running("exit 1", max_restarts=3) as run:
        await eventually(lambda: run.supervisor.exit is not None)
        run.supervisor.request_end(Reason.SIGNAL)
        await run.over.wait()
        assert run.supervisor.lives == 1


async def test_a_failed_drain_stops_nothing() -> None:
    """Envoy's administration may be gone already."""
    async with _running(drain_listeners=Response(status=503)) as run:
        run.supervisor.request_end(Reason.SIGNAL)
        await run.over.wait()
        assert run.supervisor.exit is not None


async def test_envoy_may_end_while_it_drains() -> None:
    """Then there is nothing left to wait for or to kill."""
    async with _running("sleep 0.05; exit 0", DrainPolicy(wait_s=60)) as run:
        run.supervisor.request_end(Reason.SIGNAL)
        await run.over.wait()
        assert run.supervisor.exit is not None
        assert run.supervisor.exit.code == 0


@pytest.mark.parametrize(
    "stats",
    [
        Response(body=b"listener.0.0.0.0_15021.downstream_cx_active: 1\nlistener.0.0.0.0_1.downstream_cx_active: 0\n"),
        Response(body=b""),
        Response(status=500),
    ],
)
async def test_a_drain_to_zero_ends(stats: Response, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no connection is left, when Envoy tells of none, and after repeated failures."""
    monkeypatch.setattr("agent.envoy.supervisor._POLL_S", 0.001)
    async with _running(policy=DrainPolicy(until_zero_connections=True, minimum_s=0.001), stats=stats) as run:
        run.supervisor.request_end(Reason.SIGNAL)
        await run.over.wait()
        assert run.drains == ["inboundonly&graceful&skip_exit", "inboundonly"]


async def test_a_drain_to_zero_waits_for_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on asking until the last one is gone."""
    monkeypatch.setattr("agent.envoy.supervisor._POLL_S", 0.001)
    busy = Response(body=b"listener.0.0.0.0_1.downstream_cx_active: 2\n")
    async with _running(policy=DrainPolicy(until_zero_connections=True, minimum_s=0.001), stats=busy) as run:
        run.supervisor.request_end(Reason.SIGNAL)
        await run.admin.asked_times("/stats", 3)
        assert not run.over.is_set()
        run.admin.answers["/stats"] = Response(body=b"listener.0.0.0.0_1.downstream_cx_active: 0\n")
        await run.over.wait()


async def test_a_drain_to_zero_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that never ends does not hold the agent for ever."""
    monkeypatch.setattr("agent.envoy.supervisor._POLL_S", 0.001)
    busy = Response(body=b"listener.0.0.0.0_1.downstream_cx_active: 2\n")
    policy = DrainPolicy(until_zero_connections=True, minimum_s=0.001, maximum_s=0.05)
    async with _running(policy=policy, stats=busy) as run:
        run.supervisor.request_end(Reason.SIGNAL)
        await run.over.wait()
        assert run.drains == ["inboundonly&graceful&skip_exit", "inboundonly"]


async def test_a_hurried_end_does_not_wait() -> None:
    """A second signal kills at once."""
    async with _running(policy=DrainPolicy(wait_s=60)) as run:
        run.supervisor.request_end(Reason.SIGNAL)
        run.supervisor.kill()
        await run.over.wait()


async def test_without_hot_restart_nothing_is_replaced() -> None:
    """The request is refused, and Envoy goes on."""
    async with _running() as run:
        run.supervisor.request_replacement()
        assert not run.supervisor.replaceable
        run.supervisor.request_end(Reason.QUIT)
        await run.over.wait()
        assert run.supervisor.lives == 1
