"""Bind, serve, release: the one way a program of ours runs its parts.

A service binds in ``__aenter__`` (so a taken port stops the start before anything serves) and works in ``run`` until it
is cancelled. A ``run`` that returns by itself is an error, for an eternal task that ends is a part of the program gone.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Protocol, Self

__all__ = ["Service", "ServiceExitedError", "run_all", "stop_on_signals"]


class Service(Protocol):
    """A part of a program with its own life."""

    @property
    def name(self) -> str:
        """What it is called in logs and errors."""

    async def __aenter__(self) -> Self:
        """Acquire: bind ports, open files. Afterwards real addresses are known."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release what was acquired."""

    async def run(self) -> None:
        """Serve until cancelled."""


class ServiceExitedError(RuntimeError):
    """A service's ``run`` returned although nobody asked it to stop."""


async def _forever(service: Service) -> None:
    await service.run()
    raise ServiceExitedError(f"service {service.name!r} ended by itself; it should run until it is cancelled")


async def run_all(services: Sequence[Service], *, until: asyncio.Event) -> None:
    """Bind in order, serve together until ``until`` is set, release in reverse; the first failure cancels all.

    Raises:
        ExceptionGroup: one or more services failed; the others were cancelled and released.
    """
    async with AsyncExitStack() as bound:
        for service in services:  # a taken port stops us here, before anything serves
            await bound.enter_async_context(service)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_forever(service), name=service.name) for service in services]
            await until.wait()
            for task in tasks:
                task.cancel("shutdown")


def stop_on_signals(until: asyncio.Event) -> None:
    """Set ``until`` on SIGTERM or SIGINT; a second signal ends the process at once."""
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        until.set()
        loop.remove_signal_handler(number)  # the default action takes the second one

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
