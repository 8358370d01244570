from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from discovery.engine import Database
from discovery.schema.decode import decode
from discovery.schema.meta import Object, ObjectKey
from discovery.sources.memory import MemorySource
from discovery.store.state import Store
from tests.kit.source_contract import AtOnce, SourceContract, SourceWorld, virtual_service


class MemoryWorld:
    """Groups of objects, put into the source by hand."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[ObjectKey, Object]] = {}
        self._source: MemorySource | None = None

    def source(self, store: Store) -> MemorySource:
        objects = [obj for group in self._groups.values() for obj in group.values()]
        self._source = MemorySource(store.apply, objects)
        return self._source

    def write(self, name: str, *documents: Mapping[str, Any]) -> None:
        objects = [obj for document in documents for obj in decode(document).objects]
        before = self._groups.get(name, {})
        self._groups[name] = {obj.key: obj for obj in objects}
        if self._source is not None:
            self._source.put(*objects)
            self._source.remove(*(before.keys() - self._groups[name].keys()))

    def delete(self, name: str) -> None:
        self.write(name)


class TestMemory(SourceContract):
    @pytest.fixture
    def world(self) -> SourceWorld:
        return AtOnce(MemoryWorld())


async def test_what_is_put_is_there_at_once() -> None:
    """No waiting: the next query sees it."""
    store = Store(Database())
    (obj,) = decode(virtual_service("one", "h1")).objects
    async with MemorySource(store.apply) as source:
        source.put(obj)
        assert store.objects[obj.key] is obj
        source.remove(obj.key)
        assert store.objects == {}
