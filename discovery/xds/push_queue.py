"""Who is to be pushed to, in order: first come first served, and a client that waits already is not queued twice.

What there is to push is not in the queue; a session knows it when its turn comes. So changes that come while a client
waits are merged by nature.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["PushQueue"]

T = TypeVar("T", bound=Hashable)


class PushQueue(Generic[T]):
    """Bound: one entry for each client. Overflow: there is none, entries merge."""

    def __init__(self) -> None:
        self._since: dict[T, float] = {}  # in order of arrival

    def add(self, client: T, changed_at: float) -> bool:
        """Queue a client; False: it waits already, and keeps its place and the time of its oldest change."""
        if client in self._since:
            return False
        self._since[client] = changed_at
        return True

    def take(self, most: int) -> list[tuple[T, float]]:
        """The next clients in order, with the time of their oldest change."""
        taken = [(client, self._since[client]) for client, _ in zip(self._since, range(most), strict=False)]
        for client, _ in taken:
            del self._since[client]
        return taken

    def discard(self, client: T) -> None:
        """A client is gone."""
        self._since.pop(client, None)

    def __len__(self) -> int:
        return len(self._since)
