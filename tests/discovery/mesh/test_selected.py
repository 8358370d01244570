"""Workloads by label."""

from __future__ import annotations

from discovery.engine import query
from discovery.mesh.selected import Selector, selected
from discovery.schema.meta import Kind
from tests.kit.mesh_db import MeshDb

chosen = query(selected)


def entry(name: str, labels: str, address: str = "10.0.0.1") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: {name}, namespace: shop}}
spec: {{address: {address}, labels: {labels}}}
"""


def meant(mesh: MeshDb, **labels: str) -> list[str]:
    selector = Selector(Kind.WORKLOAD_ENTRY, "shop", tuple(sorted(labels.items())))
    return [key.name for key in chosen(mesh.db, selector)]


MESH = (
    entry("b", "{app: a, version: v1}") + "---" + entry("a", "{app: a, version: v2}") + "---" + entry("c", "{app: c}")
)


def test_all_labels_must_be_there() -> None:
    """More labels than asked for do no harm; order is by name."""
    mesh = MeshDb(MESH)
    assert meant(mesh, app="a") == ["a", "b"]
    assert meant(mesh, app="a", version="v1") == ["b"]
    assert meant(mesh, app="c", version="v1") == []
    assert meant(mesh, app="unknown") == []


def test_no_labels_mean_nothing() -> None:
    """A service without a selector has no workloads of its own."""
    assert meant(MeshDb(MESH)) == []


def test_only_labels_matter() -> None:
    """A workload that moves is selected as before; one that is relabelled is not."""
    mesh = MeshDb(MESH)
    assert meant(mesh, app="a") == ["a", "b"]
    mesh.apply(entry("a", "{app: a, version: v2}", "10.0.0.9"))
    assert meant(mesh, app="a") == ["a", "b"]
    assert mesh.db.runs_by_query[chosen.name] == 1
    mesh.apply(entry("a", "{app: c, version: v2}"))
    assert meant(mesh, app="a") == ["b"]
    assert meant(mesh, app="c") == ["a", "c"]
