"""The last responses that proxies rejected, for people who ask why."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime

import msgspec

from discovery.xds.world import Rejected

__all__ = ["Rejection", "Rejections"]


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """One NACK."""

    at: datetime
    connection: str  # id of the connection
    what: Rejected


class Rejections:
    """The latest of them. Bound: ``limit``; overflow: the oldest is forgotten."""

    def __init__(self, *, limit: int = 256) -> None:
        self._kept: deque[Rejection] = deque(maxlen=limit)
        self.total = 0

    def add(self, rejection: Rejection) -> None:
        """Remember one."""
        self.total += 1
        self._kept.append(rejection)

    def __iter__(self) -> Iterator[Rejection]:
        """Newest first."""
        return reversed(self._kept)

    def __len__(self) -> int:
        return len(self._kept)
