"""What the API server said of a token, remembered by the token's hash for a while; the token itself is not kept.

A token that was accepted counts until it expires, but no longer than a bounded age: by then a deleted pod's token is
noticed. One that was refused is remembered for seconds only, to shed a caller in a loop; what made it wrong, such as an
account that does not exist yet, may be mended any moment.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

import msgspec

from discovery.auth.caller import Caller
from discovery.runtime.clock import Clock

__all__ = ["CacheLimits", "ReviewCache", "Verdict"]

Verdict = Caller | str
"""Who the bearer is, or why he is refused."""


class CacheLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is remembered, and for how long."""

    accepted: int = 10_000
    accepted_s: float = 60.0
    refused: int = 1_000
    refused_s: float = 5.0


class _Entry(msgspec.Struct, frozen=True):
    verdict: Verdict
    until: float  # monotonic
    expires_at: datetime | None


class ReviewCache:
    """Verdicts by hash. Bound: see the limits; overflow: the oldest is forgotten. Refusals do not push out others."""

    def __init__(self, clock: Clock, limits: CacheLimits) -> None:
        self._clock = clock
        self._limits = limits
        self._accepted: OrderedDict[bytes, _Entry] = OrderedDict()
        self._refused: OrderedDict[bytes, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._accepted) + len(self._refused)

    def get(self, digest: bytes) -> Verdict | None:
        """The verdict, if it still counts."""
        for kept in (self._accepted, self._refused):
            entry = kept.get(digest)
            if entry is not None and self._counts(entry):
                return entry.verdict
            kept.pop(digest, None)
        return None

    def put(self, digest: bytes, verdict: Verdict, *, expires_at: datetime | None) -> None:
        """Remember a verdict.

        Args:
            digest: of the token.
            verdict: what was said.
            expires_at: of the token, where it says so.
        """
        accepted = isinstance(verdict, Caller)
        kept, limit = (self._accepted, self._limits.accepted) if accepted else (self._refused, self._limits.refused)
        age_s = self._limits.accepted_s if accepted else self._limits.refused_s
        kept.pop(digest, None)
        while len(kept) >= max(limit, 1):
            kept.popitem(last=False)
        kept[digest] = _Entry(verdict, self._clock.monotonic() + age_s, expires_at)

    def _counts(self, entry: _Entry) -> bool:
        if entry.expires_at is not None and self._clock.now() >= entry.expires_at:
            return False
        return self._clock.monotonic() < entry.until
