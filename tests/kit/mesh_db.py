"""A query database that holds given objects, with the indexes that the store would keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import yaml

from discovery.engine import Commit, Database
from discovery.schema.decode import decode
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Kind, Object, ObjectKey
from discovery.store.cells import CLUSTER, HOST, MESH, NAMES, NAMESPACES, OBJECT, ClusterFacts, InNamespace

__all__ = ["MeshDb", "parse"]


def parse(text: str) -> list[Object]:
    """The objects of YAML text, which must be without findings."""
    objects: list[Object] = []
    for document in yaml.load_all(text, yaml.CSafeLoader):
        result = decode(document)
        assert not result.findings, [str(finding) for finding in result.findings]
        objects += result.objects
    return objects


class MeshDb:
    """A database and the objects it holds; every change keeps the indexes in step."""

    def __init__(self, text: str = "", *, mesh: MeshConfig | None = None, domain: str = "cluster.local") -> None:
        self.db = Database()
        self.objects: dict[ObjectKey, Object] = {}
        self.db.commit([(MESH, None, mesh or MeshConfig()), (CLUSTER, None, ClusterFacts(domain=domain))])
        self.apply(text)

    def apply(self, text: str) -> Commit:
        """Add or replace the objects of YAML text."""
        return self.put(parse(text))

    def put(self, objects: Iterable[Object]) -> Commit:
        """Add or replace objects."""
        return self._commit({obj.key: obj for obj in objects})

    def delete(self, kind: Kind, namespace: str, name: str) -> Commit:
        """Remove an object."""
        return self._commit({ObjectKey(kind, namespace, name): None})

    def _commit(self, changes: dict[ObjectKey, Object | None]) -> Commit:
        before = self._indexes()
        for key, obj in changes.items():
            if obj is None:
                del self.objects[key]
            else:
                self.objects[key] = obj
        after = self._indexes()
        cells: list[tuple[Any, Any, Any]] = [(OBJECT, key, obj) for key, obj in changes.items()]
        cells += [(*at, after.get(at, frozenset())) for at in before.keys() | after.keys()]
        return self.db.commit(cells)

    def _indexes(self) -> dict[tuple[Any, Any], frozenset[Any]]:
        found: defaultdict[tuple[Any, Any], set[Any]] = defaultdict(set)
        for key, obj in self.objects.items():
            found[NAMES, InNamespace(key.kind, key.namespace)].add(key.name)
            found[NAMESPACES, key.kind].add(key.namespace)
            for host in self._hosts(obj):
                found[HOST, host].add(key)
        return {at: frozenset(values) for at, values in found.items()}

    @staticmethod
    def _hosts(obj: Object) -> Iterable[str]:
        if obj.key.kind is Kind.SERVICE:
            yield f"{obj.name}.{obj.namespace}.svc.cluster.local"
        elif obj.key.kind is Kind.SERVICE_ENTRY:
            yield from (host.lower() for host in obj.spec.hosts)
