"""The one writer of configuration: applies changes of objects, keeps the engine's inputs and their indexes in step.

Sources (one task each, or many) call ``apply``; it is synchronous, so a commit is whole or not at all. Only the index
keys that a change touches are committed, and a write that changes nothing we read (status, resourceVersion, the line
of a file) is remembered here but is no commit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from discovery.engine import Commit, Database, Input
from discovery.registry.endpoints_from_kubernetes import slice_service
from discovery.registry.names import addresses_of, hosts_of
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Kind, Object, ObjectKey
from discovery.schema.service_entry import ServiceEntry
from discovery.store.cells import (
    ADDRESS,
    CLUSTER,
    HOST,
    MESH,
    NAMES,
    NAMESPACES,
    OBJECT,
    SLICES,
    ClusterFacts,
    InNamespace,
    ServiceName,
)

__all__ = ["ObjectChange", "Store", "StoreCommit", "Subscriber"]

_ENDPOINT_KINDS = frozenset({Kind.ENDPOINT_SLICE, Kind.WORKLOAD_ENTRY})


class ObjectChange(NamedTuple):
    """An object as it is now; None: it is gone."""

    key: ObjectKey
    object: Object | None


class StoreCommit(NamedTuple):
    """What a call of ``apply`` or ``set_mesh`` did; without ``kinds`` and ``mesh`` it did nothing."""

    commit: Commit
    kinds: frozenset[Kind] = frozenset()  # of objects that are different now
    endpoints_only: bool = False  # nothing but endpoints changed: such changes never wait
    mesh: bool = False  # the mesh configuration is different now


Subscriber = Callable[[StoreCommit], None]


class Store:
    """Owns the objects. Readers get them from queries, or from here for people (with their newest origin)."""

    def __init__(self, db: Database, *, cluster: ClusterFacts = ClusterFacts()) -> None:  # noqa: B008 - immutable
        self.db = db
        self._domain = cluster.domain
        self._objects: dict[ObjectKey, Object] = {}
        self._subscribers: dict[Subscriber, None] = {}
        db.commit([(CLUSTER, None, cluster)])

    @property
    def objects(self) -> Mapping[ObjectKey, Object]:
        """All objects as last written, a live view."""
        return MappingProxyType(self._objects)

    def has(self, key: ObjectKey, generation: int) -> bool:
        """Whether an object was written as of this generation, or of a later one."""
        found = self._objects.get(key)
        return found is not None and found.meta.generation >= generation

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Have ``callback`` called after each commit that changed something; the result ends that.

        It is called in the writer's turn: it must be quick and must not raise.
        """
        self._subscribers[callback] = None
        return lambda: self._subscribers.pop(callback, None)

    def apply(self, changes: Sequence[ObjectChange]) -> StoreCommit:
        """Make the objects be so, as one revision; of several changes to one object the last counts."""
        latest = {change.key: change.object for change in changes}
        inputs: list[tuple[Input[Any, Any], Hashable, Any]] = []
        indexes = _IndexEdits(self.db)
        kinds: set[Kind] = set()
        endpoints_only = True
        for key, new in latest.items():
            old = self._objects.get(key)
            if new is None:
                self._objects.pop(key, None)
            else:
                self._objects[key] = new
            if _same(old, new):
                continue
            inputs.append((OBJECT, key, new))
            kinds.add(key.kind)
            endpoints_only = endpoints_only and _is_about_endpoints(key, old, new)
            for before, after, touch in ((old, new, indexes.add), (new, old, indexes.remove)):
                for entry in _entries(after, self._domain) - _entries(before, self._domain):
                    touch(entry)
        self._index_namespaces(kinds, indexes)
        commit = self.db.commit([*inputs, *indexes.changes()])
        return self._announce(StoreCommit(commit, frozenset(kinds), endpoints_only and bool(kinds)))

    def set_mesh(self, mesh: MeshConfig) -> StoreCommit:
        """Replace the mesh configuration."""
        commit = self.db.commit([(MESH, None, mesh)])
        return self._announce(StoreCommit(commit, mesh=bool(commit.changed)))

    def _announce(self, done: StoreCommit) -> StoreCommit:
        if done.kinds or done.mesh:
            for callback in tuple(self._subscribers):
                callback(done)
        return done

    def _index_namespaces(self, kinds: set[Kind], indexes: _IndexEdits) -> None:
        """Namespaces come and go with the first and the last name of a kind in them."""
        touched = [at for cell, at in indexes.touched() if cell is NAMES and at.kind in kinds]
        for at in touched:
            edit = indexes.add if indexes.result(NAMES, at) else indexes.remove
            edit(_Entry(NAMESPACES, at.kind, at.namespace))


class _Entry(NamedTuple):
    """That an index holds a member under a key."""

    cell: Input[Any, frozenset[Any]]
    key: Any
    member: Any


class _IndexEdits:
    """Members to add and remove by index key, so that each touched set is made anew once per commit."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._added: defaultdict[tuple[Input[Any, frozenset[Any]], Any], set[Any]] = defaultdict(set)
        self._removed: defaultdict[tuple[Input[Any, frozenset[Any]], Any], set[Any]] = defaultdict(set)

    def add(self, entry: _Entry) -> None:
        """The member belongs there."""
        self._added[entry.cell, entry.key].add(entry.member)

    def remove(self, entry: _Entry) -> None:
        """The member does not belong there any more."""
        self._removed[entry.cell, entry.key].add(entry.member)

    def touched(self) -> frozenset[tuple[Input[Any, frozenset[Any]], Any]]:
        """All index keys that were edited."""
        return frozenset(self._added.keys() | self._removed.keys())

    def result(self, index: Input[Any, frozenset[Any]], key: Any) -> frozenset[Any]:
        """The members after the edits."""
        at = (index, key)
        return (index(self._db, key) - self._removed.get(at, set())) | self._added.get(at, set())

    def changes(self) -> Iterator[tuple[Input[Any, Any], Hashable, Any]]:
        """The edits as changes of inputs."""
        for index, key in self.touched():
            yield index, key, self.result(index, key)


def _entries(obj: Object | None, domain: str) -> frozenset[_Entry]:
    """Where the indexes hold an object."""
    if obj is None:
        return frozenset()
    key = obj.key
    entries = {_Entry(NAMES, InNamespace(key.kind, key.namespace), key.name)}
    entries.update(_Entry(HOST, host, key) for host in hosts_of(obj, domain))
    entries.update(_Entry(ADDRESS, address, key) for address in addresses_of(obj))
    if key.kind is Kind.ENDPOINT_SLICE and (service := slice_service(obj)):
        entries.add(_Entry(SLICES, ServiceName(key.namespace, service), key))
    return frozenset(entries)


def _same(old: Object | None, new: Object | None) -> bool:
    """Whether configuration can tell the two apart; where an object was read from is for people only."""
    if old is None or new is None:
        return old is new
    return old is new or (old.spec == new.spec and _identity(old) == _identity(new))


def _identity(obj: Object) -> tuple[object, ...]:
    meta = obj.meta
    return (
        meta.labels,
        meta.annotations,
        meta.creation_timestamp,
        meta.deletion_timestamp,
        meta.owner_references,
        obj.conditions,
    )


def _is_about_endpoints(key: ObjectKey, old: Object | None, new: Object | None) -> bool:
    if key.kind in _ENDPOINT_KINDS:
        return True
    if old is None or new is None or not isinstance(old.spec, ServiceEntry) or not isinstance(new.spec, ServiceEntry):
        return False
    return _identity(old) == _identity(new) and _without_endpoints(old.spec) == _without_endpoints(new.spec)


def _without_endpoints(spec: ServiceEntry) -> ServiceEntry:
    return msgspec.structs.replace(spec, endpoints=())
