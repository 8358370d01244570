"""Objects put by code: for embedding, for tests, and as the plainest example of a source."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from discovery.schema.findings import Finding
from discovery.schema.meta import Object, ObjectKey
from discovery.sources.source import Apply
from discovery.store.state import ObjectChange

__all__ = ["MemorySource"]


class MemorySource:
    """Feeds the store with what it is given, at once."""

    name = "memory"

    def __init__(self, apply: Apply, objects: Iterable[Object] = ()) -> None:
        self.synced = asyncio.Event()
        self.findings: tuple[Finding, ...] = ()
        self._apply = apply
        self._first = tuple(objects)

    async def __aenter__(self) -> Self:
        self.put(*self._first)
        self.synced.set()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    async def run(self) -> None:
        """Wait for the end: changes are applied as they are put."""
        await asyncio.Event().wait()

    def put(self, *objects: Object) -> None:
        """Add or replace objects, as one revision."""
        self._apply([ObjectChange(obj.key, obj) for obj in objects])

    def remove(self, *keys: ObjectKey) -> None:
        """Take objects away, as one revision."""
        self._apply([ObjectChange(key, None) for key in keys])
