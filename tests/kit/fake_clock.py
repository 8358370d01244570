"""A clock that tests turn by hand; who sleeps by it wakes when it is turned far enough."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

__all__ = ["FakeClock"]


class FakeClock:
    """Wall clock and monotonic clock at once; they move together and only when told; the wall's can be set."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._passed_s = 0.0
        self._sleepers: dict[asyncio.Future[None], float] = {}
        self._fell_asleep = asyncio.Event()

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._passed_s

    def now(self) -> datetime:
        """The wall clock."""
        return self._start + timedelta(seconds=self._passed_s)

    def set_wall(self, by: timedelta) -> None:
        """Set the wall clock, as people and time servers do; no time passes."""
        self._start += by

    def advance(self, seconds: float) -> None:
        """Let time pass and wake whose time has come."""
        self._passed_s += seconds
        for sleeper, wake_at in tuple(self._sleepers.items()):
            if wake_at <= self._passed_s:
                del self._sleepers[sleeper]
                if not sleeper.done():
                    sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Stand in for ``asyncio.sleep``."""
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers[sleeper] = self._passed_s + seconds
        self._fell_asleep.set()
        try:
            await sleeper
        finally:
            self._sleepers.pop(sleeper, None)

    async def next_wake_s(self) -> float:
        """Once somebody sleeps, the seconds until the first of them wakes."""
        async with asyncio.timeout(5):
            while not self._sleepers:
                self._fell_asleep.clear()
                await self._fell_asleep.wait()
        return min(self._sleepers.values()) - self._passed_s

    async def pass_to_next_wake(self) -> float:
        """Once somebody sleeps, let just so much time pass that the first wakes; how much that was."""
        seconds = max(0.0, await self.next_wake_s())
        self.advance(seconds)
        return seconds
