"""Readiness as a set of named blockers: ready when nobody objects, and when not, it says who does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Readiness"]


class Readiness:
    """Counts the reasons why a process is not ready. One event loop owns it."""

    def __init__(self) -> None:
        self._blockers: Counter[str] = Counter()
        self._clear = asyncio.Event()
        self._clear.set()

    def block(self, reason: str) -> None:
        """Add a reason not to be ready."""
        self._blockers[reason] += 1
        self._clear.clear()

    def release(self, reason: str) -> None:
        """Take one such reason back; releasing what does not block is an error.

        Raises:
            KeyError: nothing blocks under this name.
        """
        if self._blockers[reason] <= 0:
            raise KeyError(f"readiness: nothing blocks as {reason!r}")
        self._blockers[reason] -= 1
        if not self._blockers[reason]:
            del self._blockers[reason]
        if not self._blockers:
            self._clear.set()

    @contextmanager
    def blocked_by(self, reason: str) -> Iterator[None]:
        """Not ready for ``reason`` while the block runs."""
        self.block(reason)
        try:
            yield
        finally:
            self.release(reason)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not ready, sorted; empty when ready."""
        return tuple(sorted(self._blockers))

    @property
    def ready(self) -> bool:
        """Whether nobody objects."""
        return not self._blockers

    async def wait(self) -> None:
        """Return once nobody objects."""
        await self._clear.wait()
