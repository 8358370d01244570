"""How many requests per second we make of an API server: a token bucket as pure arithmetic."""

from __future__ import annotations

__all__ = ["TokenBucket"]


class TokenBucket:
    """``burst`` requests at once, ``per_s`` in the long run; a rate of 0 or less does not limit.

    Who comes when it is empty is told how long to wait; its place is taken at once, so nobody overtakes.
    """

    def __init__(self, *, per_s: float, burst: float, now: float) -> None:
        self._per_s = per_s
        self._burst = max(1.0, burst)
        self._tokens = self._burst
        self._at = now

    def take(self, now: float) -> float:
        """Take a token; how many seconds to wait before using it."""
        if self._per_s <= 0:
            return 0.0
        self._fill(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._per_s)

    def offer(self, now: float) -> bool:
        """Take a token if there is one; whether there was. For what is dropped rather than done later."""
        if self._per_s <= 0:
            return True
        self._fill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _fill(self, now: float) -> None:
        # A clock that goes back gives nothing and takes nothing.
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._per_s)
        self._at = max(self._at, now)
