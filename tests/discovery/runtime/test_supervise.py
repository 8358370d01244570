"""Bind in order, serve together, release in reverse; nothing outlives its group."""

from __future__ import annotations

import asyncio
import os
import signal
from types import TracebackType
from typing import Self

import pytest

from discovery.runtime.supervise import ServiceExitedError, run_all, stop_on_signals


class Part:
    """A service that writes down what happens to it."""

    def __init__(self, name: str, log: list[str], *, fails: str = "") -> None:
        self.name = name
        self._log = log
        self._fails = fails
        self.running = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._log.append(f"bind {self.name}")
        if self._fails == "bind":
            raise OSError("port taken")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.append(f"release {self.name}")

    async def run(self) -> None:
        self.running.set()
        if self._fails == "run":
            raise ValueError("broken")
        if self._fails != "end":
            await asyncio.Event().wait()


async def test_parts_bind_in_order_and_are_released_in_reverse() -> None:
    """When asked to stop, all of them end."""
    log: list[str] = []
    until = asyncio.Event()
    parts = [Part("a", log), Part("b", log)]
    async with asyncio.TaskGroup() as group:
        group.create_task(run_all(parts, until=until))
        for part in parts:
            await part.running.wait()
        until.set()
    assert log == ["bind a", "bind b", "release b", "release a"]


async def test_a_taken_port_stops_the_start() -> None:
    """What was bound before is released; nothing has run."""
    log: list[str] = []
    first = Part("a", log)
    with pytest.raises(OSError, match="port taken"):
        await run_all([first, Part("b", log, fails="bind")], until=asyncio.Event())
    assert log == ["bind a", "bind b", "release a"]
    assert not first.running.is_set()


@pytest.mark.parametrize(("fails", "error"), [("run", ValueError), ("end", ServiceExitedError)])
async def test_the_first_failure_ends_all(fails: str, error: type[Exception]) -> None:
    """A part that ends by itself has failed too."""
    log: list[str] = []
    with pytest.raises(ExceptionGroup) as caught:
        await run_all([Part("a", log), Part("b", log, fails=fails)], until=asyncio.Event())
    assert [type(e) for e in caught.value.exceptions] == [error]
    assert log[-2:] == ["release b", "release a"]


async def test_a_signal_asks_to_stop() -> None:
    """SIGTERM sets the event; the process itself goes on to its end."""
    until = asyncio.Event()
    stop_on_signals(until)
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(5):
        await until.wait()
    asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
