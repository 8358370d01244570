"""WorkloadEntries without a cluster: kept in the store, beside what the directory has; files are never written.

They live as long as the process: proxies connect again within seconds of a restart, and are registered anew. An entry
of the user's own files that a proxy names as its own gets its status here, until the file is edited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from discovery.controllers.workload_entries import Document
from discovery.controllers.workload_entries_writer import InvalidEntryError
from discovery.schema.decode import decode
from discovery.schema.meta import Kind, Object, ObjectKey, Origin
from discovery.store.state import ObjectChange

__all__ = ["MemoryEntries"]

_ORIGIN: Final = Origin("auto-registration")


class MemoryEntries:
    """An ``EntryWriter`` over the store.

    Args:
        objects: all objects of the store, live.
        apply: ``Store.apply``.
    """

    def __init__(self, objects: Mapping[ObjectKey, Object], apply: Callable[[Sequence[ObjectChange]], object]) -> None:
        self._objects = objects
        self._apply = apply

    async def read(self, key: ObjectKey) -> Document | None:
        """The entry as the store has it, whoever wrote it."""
        obj = self._objects.get(key)
        return None if obj is None else _document(obj)

    async def create(self, document: Document) -> Document:
        """Put it into the store."""
        self._put(document)
        return document

    async def replace(self, document: Document) -> Document:
        """Put it into the store, for as long as the file, if it has one, is not edited."""
        self._put(document)
        return document

    async def replace_status(self, document: Document) -> Document:
        """The same: here an object is whole."""
        self._put(document)
        return document

    async def delete(self, document: Document) -> None:
        """Take it out of the store."""
        self._apply([ObjectChange(_key(document), None)])

    def _put(self, document: Document) -> None:
        key = _key(document)
        before = self._objects.get(key)
        decoded = decode(document, origin=before.origin if before is not None else _ORIGIN)
        if len(decoded.objects) != 1:
            raise InvalidEntryError(f"{key}: {'; '.join(map(str, decoded.findings))}")
        self._apply([ObjectChange(key, decoded.objects[0])])


def _key(document: Document) -> ObjectKey:
    metadata = document["metadata"]
    return ObjectKey(Kind.WORKLOAD_ENTRY, metadata["namespace"], metadata["name"])


def _document(obj: Object) -> Document:
    document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(dict(obj.raw)))
    # A file may leave its namespace out; what is written back must not.
    metadata = {**document["metadata"], "namespace": obj.namespace}
    return {**document, "metadata": metadata}
