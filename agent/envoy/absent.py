"""The place of Envoy in an agent that has none (``DISABLE_ENVOY``): it lasts until somebody asks for the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from agent.envoy.ending import Reason

__all__ = ["EnvoyLife", "NoEnvoy"]


class EnvoyLife(Protocol):
    """What the rest of the agent may ask of an Envoy's life."""

    @property
    def name(self) -> str:
        """What it is called in logs and errors."""

    @property
    def ending(self) -> bool:
        """Whether somebody asked for the end."""

    @property
    def life(self) -> int | None:
        """Which Envoy runs, counted from 1; None while none does."""

    def request_end(self, reason: Reason) -> None:
        """Begin the ending."""

    @property
    def replaceable(self) -> bool:
        """Whether another one can be put in its place."""

    def tell_epochs(self, listener: Callable[[int], None]) -> None:
        """Tell from now on which Envoy is to be served configuration; with it all that come after."""

    def request_replacement(self) -> None:
        """Put another one in its place."""

    def kill(self) -> None:
        """End it at once."""

    async def drain(self) -> None:
        """Stop taking connections."""

    async def __aenter__(self) -> Self:
        """Start it."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing behind."""

    async def run(self) -> None:
        """Watch it."""


class NoEnvoy:
    """Nothing is started and nothing drained; ``over`` is set when the end is asked for."""

    name = "no envoy"
    life: int | None = None
    replaceable = False

    def __init__(self, *, over: asyncio.Event) -> None:
        self._over = over

    @property
    def ending(self) -> bool:
        """Whether somebody asked for the end."""
        return self._over.is_set()

    def request_end(self, _reason: Reason) -> None:
        """End now: there is nobody to wait for."""
        self._over.set()

    def tell_epochs(self, _listener: Callable[[int], None]) -> None:
        """There are none."""

    def request_replacement(self) -> None:
        """There is nothing to replace."""

    def kill(self) -> None:
        """The same."""
        self._over.set()

    async def drain(self) -> None:
        """There is nothing to drain."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    async def run(self) -> None:
        """Wait to be cancelled."""
        await asyncio.get_running_loop().create_future()
