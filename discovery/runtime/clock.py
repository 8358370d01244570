"""Time as an argument. Only ``app`` makes a real clock; tests turn a fake one by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Where instants come from."""

    def monotonic(self) -> float:
        """Seconds that never go backwards; for measuring and for deadlines."""

    def now(self) -> datetime:
        """The wall clock in UTC; for certificates, tokens and people."""


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()

    def now(self) -> datetime:
        """The present in UTC."""
        return datetime.now(UTC)
