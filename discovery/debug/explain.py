"""Why is this resource as it is: the objects, by file and line, that its bytes came from.

The engine recorded what was read while the resource was rendered; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from discovery.engine import Database, Node
from discovery.schema.meta import Object, ObjectKey
from discovery.store.cells import CLUSTER, MESH, OBJECT
from discovery.translate.tables import Generators, ResourceRef
from discovery.wire.type_urls import ROUTE
from discovery.xds.connections import ConnectionInfo

__all__ = ["Explainer", "UnknownResourceError"]


class UnknownResourceError(LookupError):
    """The proxy is not served a resource of this name; the text says which come near."""


class Explainer(msgspec.Struct, frozen=True):
    """What explaining needs: the database that rendered, what it rendered by, and objects as last read."""

    db: Database
    generators: Generators
    objects: Mapping[ObjectKey, Object]

    def explain(self, connection: ConnectionInfo, type_url: str, name: str) -> dict[str, Any]:
        """Where a resource of a proxy came from.

        Raises:
            UnknownResourceError: the proxy is served none of this name.
        """
        ref, offered = self._find(connection, type_url, name)
        if ref is None:
            near = sorted(candidate for candidate in offered if name.lower() in candidate.lower())[:10]
            hint = f"; near: {', '.join(near)}" if near else ""
            raise UnknownResourceError(f"{connection.id} is not served {name!r} of {type_url}{hint}")
        node = ref.query.node(self.db, ref.key)
        resource = self.db.read(node)
        inputs = self.db.provenance(node)
        return {
            "proxy": connection.id,
            "type": type_url,
            "name": name,
            "version": resource.version if resource is not None else "",
            "renderedBy": ref.query.name,
            "from": msgspec.to_builtins(ref.key, str_keys=True, enc_hook=str),
            "objects": list(_objects(inputs, self.objects)),
            "meshConfig": any(node.cell is MESH for node in inputs),
            "cluster": any(node.cell is CLUSTER for node in inputs),
        }

    def _find(self, connection: ConnectionInfo, type_url: str, name: str) -> tuple[ResourceRef | None, list[str]]:
        routes = frozenset(connection.resources(ROUTE))
        offered: list[str] = []
        for table in self.generators.tables(type_url, connection.view, routes):
            index = table.index(self.db, table.key)
            if name in index:
                return index[name], []
            offered += index
        return None, offered


def _objects(inputs: Iterable[Node], objects: Mapping[ObjectKey, Object]) -> Iterable[dict[str, Any]]:
    """Objects that were read and exist, each once, in the order in which they were first read."""
    for key in dict.fromkeys(node.key for node in inputs if node.cell is OBJECT):
        obj = objects.get(key)
        if obj is None:
            continue
        row: dict[str, Any] = {"kind": str(key.kind), "namespace": key.namespace, "name": key.name}
        if obj.origin.path:
            row |= {"file": obj.origin.path, "line": obj.origin.line}
        if obj.meta.uid:
            row["uid"] = obj.meta.uid
        yield row
