"""The newest state of whatever changed in this turn of the event loop, handed on once at its end.

A hundred events of one object that arrive in one piece cost one decoding and one change. It holds each key once, so it
is bounded by the number of objects; and it never holds one for longer than a turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

__all__ = ["DeltaQueue"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class DeltaQueue(Generic[K, V]):
    """Merges by key, in the order in which keys were last named. ``drain`` is called from the event loop."""

    def __init__(self, drain: Callable[[Mapping[K, V]], object]) -> None:
        self._drain = drain
        self._waiting: dict[K, V] = {}
        self._handle: asyncio.Handle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, key: K, value: V) -> None:
        """The key is so now."""
        self._waiting.pop(key, None)
        self._waiting[key] = value
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Hand on what waits now."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        waiting, self._waiting = self._waiting, {}
        if waiting:
            self._drain(waiting)
