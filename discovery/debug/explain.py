"""Why is this resource as it is: the objects, by file and line, and their fields, that its bytes came from.

The engine recorded what was read while the resource was rendered; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from discovery.debug.influence import Influence
from discovery.engine import Database, Node
from discovery.mesh.services import service
from discovery.schema.meta import Kind, Object, ObjectKey
from discovery.store.cells import CLUSTER, MESH, OBJECT
from discovery.translate.tables import Generators, Index, ResourceRef, TableKey
from discovery.wire.type_urls import ROUTE
from discovery.xds.connections import ConnectionInfo

__all__ = ["Explainer", "UnknownResourceError"]

_ABOUT_WORKLOADS: Final = frozenset({Kind.SIDECAR, Kind.WORKLOAD_ENTRY, Kind.POD})
_POLICIES: Final = frozenset({Kind.SIDECAR, Kind.PEER_AUTHENTICATION, Kind.TELEMETRY})
_MAX_OBJECTS: Final = 200


class UnknownResourceError(LookupError):
    """The proxy is not served a resource of this name; the text says which come near."""


class Explainer(msgspec.Struct, frozen=True):
    """What explaining needs: the database that rendered, what it rendered by, and objects as last read."""

    db: Database
    generators: Generators
    objects: Mapping[ObjectKey, Object]

    def explain(
        self, connection: ConnectionInfo, type_url: str, name: str, *, enough: Callable[[], bool] = lambda: False
    ) -> dict[str, Any]:
        """Where a resource of a proxy came from.

        Args:
            connection: the proxy.
            type_url: the xDS type.
            name: of the resource.
            enough: bounds what is spent on finding out which objects and fields decide; see ``Influence``.

        Raises:
            UnknownResourceError: the proxy is served none of this name.
        """
        find = _Finder(self.generators, connection, type_url, name)
        ref = find(self.db)
        if ref is None:
            raise UnknownResourceError(f"{connection.id} is not served {name!r} of {type_url}{find.hint(self.db)}")
        node = ref.query.node(self.db, ref.key)
        resource = self.db.read(node)
        inputs = self.db.provenance(node)
        read = dict.fromkeys(_keys(inputs))
        around = (*self._about_workload(connection), *find.policies(self.db))
        influence = Influence(self.db, find, enough=enough)
        rows = [self._row(key, influence) for key in read if key in self.objects]
        more = (self._row(key, influence) for key in dict.fromkeys(around) if key in self.objects and key not in read)
        rows = sorted([*rows, *(row for row in more if row.get("decides"))], key=_order)
        return {
            "proxy": connection.id,
            "type": type_url,
            "name": name,
            "version": resource.version if resource is not None else "",
            "renderedBy": ref.query.name,
            "from": msgspec.to_builtins(ref.key, str_keys=True, enc_hook=str),
            "objects": rows[:_MAX_OBJECTS],
            "objectsOmitted": max(0, len(rows) - _MAX_OBJECTS),
            "meshConfig": any(node.cell is MESH for node in inputs),
            "cluster": any(node.cell is CLUSTER for node in inputs),
        }

    def _about_workload(self, connection: ConnectionInfo) -> Iterator[ObjectKey]:
        """Objects that tell what the proxy is: they enter by the key of the query, not by what it reads."""
        view = self.generators.view.node(self.db, connection.key)
        yield from (key for key in _keys(self.db.provenance(view)) if key.kind in _ABOUT_WORKLOADS)
        for target in connection.view.inbound.targets:
            found = service(self.db, target.service)
            if found is not None:
                yield found.source

    def _row(self, key: ObjectKey, influence: Influence) -> dict[str, Any]:
        obj = self.objects[key]
        row: dict[str, Any] = {"kind": str(key.kind), "namespace": key.namespace, "name": key.name}
        if obj.origin.path:
            row |= {"file": obj.origin.path, "line": obj.origin.line}
        if obj.meta.uid:
            row["uid"] = obj.meta.uid
        decides = influence.decides(key)
        if decides is not None:
            row["decides"] = decides
        if decides and (fields := influence.fields(obj)):
            row["fields"] = fields
        return row


class _Finder:
    """Where a database renders one resource of one proxy."""

    def __init__(self, generators: Generators, connection: ConnectionInfo, type_url: str, name: str) -> None:
        self._generators = generators
        self._proxy = connection.key
        self._routes = frozenset(connection.resources(ROUTE))
        self._type_url = type_url
        self._name = name

    def _tables(self, db: Database) -> tuple[TableKey, ...]:
        return self._generators.tables(self._type_url, self._generators.view(db, self._proxy), self._routes)

    def _indexes(self, db: Database) -> Iterator[Index]:
        return (table.index(db, table.key) for table in self._tables(db))

    def __call__(self, db: Database) -> ResourceRef | None:
        return next((index[self._name] for index in self._indexes(db) if self._name in index), None)

    def policies(self, db: Database) -> Iterator[ObjectKey]:
        """Policies that were read when it was chosen what to render: they too enter by the key."""
        for table in self._tables(db):
            inputs = db.provenance(table.index.node(db, table.key))
            yield from (key for key in _keys(inputs) if key.kind in _POLICIES)

    def hint(self, db: Database) -> str:
        """Names that come near."""
        wanted = self._name.lower()
        near = sorted(name for index in self._indexes(db) for name in index if wanted in name.lower())[:10]
        return f"; near: {', '.join(near)}" if near else ""


def _order(row: dict[str, Any]) -> int:
    """What decides comes first, what was only consulted last."""
    return {True: 0, None: 1, False: 2}[row.get("decides")]


def _keys(inputs: Iterable[Node]) -> Iterator[ObjectKey]:
    return (node.key for node in inputs if node.cell is OBJECT)
