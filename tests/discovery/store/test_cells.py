from __future__ import annotations

from discovery.engine import Database
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Kind, ObjectKey
from discovery.store.cells import (
    ADDRESS,
    CLUSTER,
    HOST,
    MESH,
    NAMES,
    NAMESPACES,
    OBJECT,
    SLICES,
    InNamespace,
    ServiceName,
)


def test_defaults_are_an_empty_mesh() -> None:
    """What nobody wrote is absent, and the mesh has Istio's defaults."""
    db = Database()
    assert OBJECT(db, ObjectKey(Kind.SERVICE, "shop", "web")) is None
    empty = (
        NAMES(db, InNamespace(Kind.SERVICE, "shop")),
        NAMESPACES(db, Kind.SERVICE),
        SLICES(db, ServiceName("shop", "web")),
        ADDRESS(db, "10.0.0.1"),
        HOST(db, "web"),
    )
    assert not any(empty)
    assert MESH(db, None) == MeshConfig()
    assert CLUSTER(db, None).domain == "cluster.local"
