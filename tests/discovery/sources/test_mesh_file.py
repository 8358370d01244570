from __future__ import annotations

from pathlib import Path

import pytest

from discovery.engine import Database
from discovery.schema.mesh_config import MeshConfig
from discovery.sources.mesh_file import MeshConfigSource, read_mesh_config
from discovery.store.cells import MESH
from discovery.store.state import Store
from tests.kit.source_contract import Changed, running


def trust_domain(store: Store) -> str:
    return MESH(store.db, None).trust_domain


@pytest.mark.parametrize("data", [b"a: }", b"\xff", b"trustDomain: 1", b"[]"])
def test_bytes_that_cannot_be_used_are_findings(data: bytes) -> None:
    """Neither an exception nor a half-read configuration."""
    mesh, findings = read_mesh_config("mesh", data)
    assert mesh is None
    assert str(findings[0]).startswith("mesh:1: MeshConfig: ")


async def test_absent_file_is_the_defaults_until_it_comes(tmp_path: Path) -> None:
    """The path need not exist at the start, nor the folders on the way to it."""
    changed = Changed(Store(Database()))
    path = tmp_path / "etc" / "config" / "mesh"
    async with running(MeshConfigSource(path, changed.store.set_mesh)):
        assert MESH(changed.store.db, None) == MeshConfig()
        path.parent.mkdir(parents=True)
        path.write_text("trustDomain: example.org\n")
        await changed.until(lambda: trust_domain(changed.store) == "example.org")
        path.write_text("trustDomain: example.com\n")
        await changed.until(lambda: trust_domain(changed.store) == "example.com")


async def test_broken_or_deleted_file_leaves_the_last_good_in_force(tmp_path: Path) -> None:
    """Trust domains and ports of a running mesh do not fall back to defaults."""
    path = tmp_path / "mesh"
    path.write_text("trustDomain: example.org\n")
    store = Store(Database())
    async with MeshConfigSource(path, store.set_mesh) as source:
        path.write_text("trustDomain: [\n")
        await source.look()
        assert trust_domain(store) == "example.org"
        assert source.findings
        path.unlink()
        await source.look()
        assert trust_domain(store) == "example.org"
        assert "gone" in source.findings[0].problem
        path.write_text("trustDomain: example.net\n")
        await source.look()
        assert trust_domain(store) == "example.net"
        assert source.findings == ()
