"""How streams share the server: set-up in order of arrival, large responses within a budget, requests at a rate.

A thousand sidecars that connect at once are served one after another, a few at a time; those that are connected keep
getting their pushes between two of them. Nobody is turned away before the queue is absurdly long.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Admission", "ByteBudget", "QueueFullError", "RequestRate"]


class QueueFullError(RuntimeError):
    """More streams wait for their set-up than the queue holds."""


class Admission:
    """Lets a few streams at a time set themselves up, first come, first served.

    Bound: ``queue`` waiting streams; overflow: refused with ``QueueFullError``.
    """

    def __init__(self, *, places: int = 16, queue: int = 20_000) -> None:
        self._places = asyncio.Semaphore(places)  # wakes waiters in order of arrival
        self._queue = queue
        self.waiting = 0

    async def enter(self) -> None:
        """Wait for a place; ``leave`` gives it back.

        Raises:
            QueueFullError: too many wait already.
        """
        if self.waiting >= self._queue:
            raise QueueFullError(f"{self.waiting} streams wait for their set-up")
        self.waiting += 1
        try:
            await self._places.acquire()
        finally:
            self.waiting -= 1

    def leave(self) -> None:
        """Give the place to the next one."""
        self._places.release()


class ByteBudget:
    """Bounds the bytes of large responses that are being written at the same time.

    Bound: ``limit`` bytes, or one response that is larger; overflow: writers wait in order. A slow reader keeps its
    share for ``patience_s`` only: after that the others go on beside it.
    """

    def __init__(self, *, limit: int = 16 << 20, patience_s: float = 1.0) -> None:
        self._limit = limit
        self._patience_s = patience_s
        self._used = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def share(self, size: int) -> AsyncIterator[None]:
        """Hold ``size`` bytes of the budget while the block runs, at most for the time of patience."""
        await self._take(size)
        held = True

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                self._give_back(size)

        patience = asyncio.get_running_loop().call_later(self._patience_s, give_back)
        try:
            yield
        finally:
            patience.cancel()
            give_back()

    async def _take(self, size: int) -> None:
        if not self._waiting and self._fits(size):
            self._used += size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(size)  # the share came at the moment at which we were stopped
            raise

    def _fits(self, size: int) -> bool:
        return self._used == 0 or self._used + size <= self._limit

    def _give_back(self, size: int) -> None:
        self._used -= size
        while self._waiting:
            wanted, turn = self._waiting[0]
            if turn.done():  # stopped while it waited
                self._waiting.popleft()
                continue
            if not self._fits(wanted):
                return
            self._waiting.popleft()
            self._used += wanted
            turn.set_result(None)


class RequestRate:
    """How fast one stream may ask: ``per_s`` requests a second, ``burst`` at once. Plain ACKs do not count."""

    __slots__ = ("_burst", "_full_at", "_per_s")

    def __init__(self, *, per_s: float = 200.0, burst: float = 2000.0) -> None:
        self._per_s = per_s
        self._burst = burst
        self._full_at = float("-inf")  # when the bucket will be, or was, full again

    def take(self, now: float) -> float:
        """Count a request; gives the seconds to wait before it is served, 0 for almost everybody."""
        self._full_at = max(self._full_at, now) + 1.0 / self._per_s
        return max(0.0, self._full_at - now - self._burst / self._per_s)
