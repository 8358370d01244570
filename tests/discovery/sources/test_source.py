from __future__ import annotations

from pathlib import Path

from discovery.sources.directory import DirectorySource
from discovery.sources.memory import MemorySource
from discovery.sources.mesh_file import MeshConfigSource
from discovery.sources.source import Source


def test_all_sources_are_sources(tmp_path: Path) -> None:
    """What ``app`` wires has one shape; mypy checks it, and this line runs it."""
    sources: list[Source] = [
        MemorySource(lambda changes: NotImplemented),
        DirectorySource(tmp_path, lambda changes: NotImplemented),
        MeshConfigSource(tmp_path / "mesh", lambda mesh: None),
    ]
    assert [source.name for source in sources] == ["memory", "directory", "mesh configuration"]
    assert not any(source.synced.is_set() for source in sources)
