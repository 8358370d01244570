from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from discovery.engine import Database
from discovery.schema.meta import Kind, ObjectKey
from discovery.sources.directory import DirectorySource
from discovery.sources.memory import MemorySource
from discovery.sources.mesh_file import MeshConfigSource
from discovery.sources.source import Source, without
from discovery.store.state import ObjectChange, Store, StoreCommit


def test_all_sources_are_sources(tmp_path: Path) -> None:
    """What ``app`` wires has one shape; mypy checks it, and this line runs it."""
    sources: list[Source] = [
        MemorySource(lambda changes: NotImplemented),
        DirectorySource(tmp_path, lambda changes: NotImplemented),
        MeshConfigSource(tmp_path / "mesh", lambda mesh: None),
    ]
    assert [source.name for source in sources] == ["memory", "directory", "mesh configuration"]
    assert not any(source.synced.is_set() for source in sources)


def test_kinds_can_be_left_to_others() -> None:
    """They reach nobody, the others do; with no such kind nothing stands between."""
    told: list[ObjectKey] = []
    store = Store(Database())

    def apply(changes: Sequence[ObjectChange]) -> StoreCommit:
        told.extend(change.key for change in changes)
        return store.apply(changes)

    keys = [ObjectKey(Kind.SERVICE, "a", "b"), ObjectKey(Kind.VIRTUAL_SERVICE, "a", "b")]
    without({Kind.SERVICE}, apply)([ObjectChange(key, None) for key in keys])
    assert told == keys[1:]
    assert without((), apply) is apply
