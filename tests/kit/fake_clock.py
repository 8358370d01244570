"""A clock that tests turn by hand, and a sleep that turns it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

__all__ = ["FakeClock"]


class FakeClock:
    """Both clocks at once; they move together, and only when told."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._passed_s = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._passed_s

    def now(self) -> datetime:
        """The wall clock."""
        return self._start + timedelta(seconds=self._passed_s)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._passed_s += seconds

    async def sleep(self, seconds: float) -> None:
        """Pass the time at once, letting others run once."""
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)
