"""The server's wall clock: another clock plus what tests have made it jump."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from discovery.runtime.clock import Clock

__all__ = ["ServerClock", "micro_time_text", "time_text"]


class ServerClock:
    """Reads another clock and adds an offset that a test may change at any time."""

    def __init__(self, base: Clock) -> None:
        self._base = base
        self._offset = timedelta()

    def now(self) -> datetime:
        """The wall clock of the server in UTC."""
        return self._base.now() + self._offset

    def monotonic(self) -> float:
        """Jumps leave it alone."""
        return self._base.monotonic()

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward, or back."""
        self._offset += timedelta(seconds=seconds)


def time_text(at: datetime) -> str:
    """`metav1.Time`: RFC 3339 in whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_time_text(at: datetime) -> str:
    """`metav1.MicroTime`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
