"""Entries that live in the store: read as they are, written whole, and what cannot be read is refused."""

from __future__ import annotations

import pytest

from discovery.controllers.workload_entries_memory import MemoryEntries
from discovery.controllers.workload_entries_writer import InvalidEntryError
from discovery.engine import Database
from discovery.schema.decode import decode
from discovery.schema.meta import Kind, ObjectKey, Origin
from discovery.store.state import ObjectChange, Store

KEY = ObjectKey(Kind.WORKLOAD_ENTRY, "shop", "vm-1")
DOCUMENT = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "WorkloadEntry",
    "metadata": {"name": "vm-1", "namespace": "shop"},
    "spec": {"address": "10.0.0.7"},
}


async def test_what_is_written_is_read_and_what_is_deleted_is_gone() -> None:
    """With its status, which counts."""
    store = Store(Database())
    entries = MemoryEntries(store.objects, store.apply)
    assert await entries.read(KEY) is None
    await entries.create(DOCUMENT)
    with_status = {**DOCUMENT, "status": {"conditions": [{"type": "Healthy", "status": "True"}]}}
    await entries.replace_status(with_status)
    assert await entries.read(KEY) == with_status
    assert store.objects[KEY].conditions == {"Healthy": True}
    await entries.replace(DOCUMENT)
    assert store.objects[KEY].conditions == {}
    await entries.delete(DOCUMENT)
    await entries.delete(DOCUMENT)
    assert await entries.read(KEY) is None


async def test_an_object_of_a_file_stays_that_files() -> None:
    """Its findings are to name the place where it can be mended; a namespace that it leaves out is filled in."""
    store = Store(Database())
    origin = Origin("directory", "vm.yaml", 7)
    document = {**DOCUMENT, "metadata": {"name": "vm-1"}}
    (obj,) = decode(document, origin=origin, namespace="shop").objects
    store.apply([ObjectChange(KEY, obj)])
    entries = MemoryEntries(store.objects, store.apply)
    read = await entries.read(KEY)
    assert read == DOCUMENT
    await entries.replace(read)
    assert store.objects[KEY].origin == origin


async def test_what_is_no_entry_is_refused() -> None:
    """It comes from the user's group, so it may be anything."""
    store = Store(Database())
    entries = MemoryEntries(store.objects, store.apply)
    with pytest.raises(InvalidEntryError, match="weight"):
        await entries.create({**DOCUMENT, "spec": {"weight": "heavy"}})
    assert store.objects == {}
