"""Which proxies an object concerns, whether they have acknowledged what became of it, and whose fault a NACK is.

Nothing is guessed: the engine knows what was computed from an object, the tables know who watches that. A stream has
acknowledged a change as soon as, after the change reached it, it is seen with nothing left to send and nothing in
flight; that is remembered, so that a busy mesh in which somebody always waits for something else holds nobody up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Final

import msgspec

from discovery.engine import Database, Input, Node
from discovery.schema.meta import Kind, ObjectKey
from discovery.store.cells import OBJECT
from discovery.store.delivery import Delivery, RejectedResource
from discovery.wire.type_urls import CLUSTER, LISTENER, short_name
from discovery.xds.answer import lookup
from discovery.xds.connection import Connection
from discovery.xds.rejections import Rejection
from discovery.xds.watch import Watch
from discovery.xds.world import Rejected, World

__all__ = ["Deliveries", "is_configuration"]

_CORE: Final = frozenset({Kind.SERVICE, Kind.ENDPOINT_SLICE, Kind.POD, Kind.NODE, Kind.NAMESPACE})
_REJECTED_KEPT: Final = 256
_TAKEN_IN_PARTS: Final = frozenset({CLUSTER, LISTENER})
_BLAMED_AT_ONCE: Final = 8
_MAX_CULPRITS: Final = 3
"""Objects that changed at once and went into one resource: with more of them nobody can say whose fault it is."""

Listener = Callable[[ObjectKey, RejectedResource], None]


def is_configuration(key: Hashable) -> bool:
    """Whether an object is written by the mesh's operators, so that it can be at fault."""
    return isinstance(key, ObjectKey) and key.kind not in _CORE


class _Tracking(msgspec.Struct):
    """An object on its way."""

    mark: Hashable  # of its version
    watches: dict[Watch, None] | None = None  # that have yet to acknowledge it; None: not known yet


class _Rejected(msgspec.Struct, frozen=True):
    resource: RejectedResource
    type_url: str
    culprits: tuple[Any, ...]


class Deliveries:
    """Answers about objects, for the controllers of the leader. Owned by the `AdsServer` whose world it looks at.

    Args:
        pending: whether changes were committed that streams have not been told of.
        cell: the input that objects are.
        may_be_at_fault: whether an object is somebody's configuration.
    """

    def __init__(
        self,
        world: World,
        pending: Callable[[], bool],
        *,
        cell: Input[Any, Any] = OBJECT,
        may_be_at_fault: Callable[[Hashable], bool] = is_configuration,
    ) -> None:
        self._world = world
        self._pending = pending
        self._cell = cell
        self._may_be_at_fault = may_be_at_fault
        self._tracked: dict[Hashable, _Tracking] = {}
        self._rejected: OrderedDict[tuple[str, str, str], _Rejected] = OrderedDict()
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Have objects told whose result was rejected; it must be quick and must not raise."""
        self._listeners.append(listener)

    def of(self, key: Any, mark: Hashable) -> Delivery:
        """How far an object has got. Ask again while somebody is waited for: what was seen is remembered until then.

        Args:
            key: of the object, as it is in the database now.
            mark: of its version; another one begins anew.
        """
        tracking = self._tracked.get(key)
        if tracking is None or tracking.mark != mark:
            tracking = self._tracked[key] = _Tracking(mark)
        if tracking.watches is None and not self._pending():
            tracking.watches = dict.fromkeys(self._concerned(key))
        rejected = tuple(self._rejections(key))
        if tracking.watches is None:
            return Delivery(waiting=1, rejected=rejected)
        for watch in [watch for watch in tracking.watches if _is_done(watch)]:
            del tracking.watches[watch]
        waiting = len(tracking.watches)
        if not waiting:
            del self._tracked[key]
        return Delivery(waiting=waiting, rejected=rejected)

    def forget(self, key: Hashable) -> None:
        """The object is gone."""
        self._tracked.pop(key, None)

    def rejected(self) -> Iterator[tuple[Any, RejectedResource]]:
        """The objects whose result was rejected and is served still."""
        for rejected in tuple(self._rejected.values()):
            if self._is_served(rejected):
                yield from ((key, rejected.resource) for key in rejected.culprits)

    # -- rejections ------------------------------------------------------------------------------------------------

    def on_rejection(self, connection: Connection, rejection: Rejection) -> None:
        """Take a NACK, and find the objects that are to blame."""
        what = rejection.what
        watch = connection.session.watches.get(what.type_url)
        if watch is None:
            return
        for name in _blamed(watch, what):
            served = lookup(watch.tables, name)
            node = _find(watch, name)
            if served is None or node is None or (what.type_url, name, served.version) in self._rejected:
                continue
            resource = RejectedResource(
                proxy=connection.node.id.name,
                type=short_name(what.type_url),
                name=name,
                version=served.version,
                error=what.error,
            )
            self._remember(what.type_url, resource, self._culprits(node))

    def _remember(self, type_url: str, resource: RejectedResource, culprits: tuple[Any, ...]) -> None:
        while len(self._rejected) >= _REJECTED_KEPT:
            self._rejected.popitem(last=False)
        self._rejected[type_url, resource.name, resource.version] = _Rejected(resource, type_url, culprits)
        for key in culprits:
            for listener in self._listeners:
                listener(key, resource)

    def _culprits(self, node: Node) -> tuple[Any, ...]:
        """Of the configuration that a resource was made from, what changed last."""
        inputs = self._world.db.provenance(node)
        able = [n for n in inputs if n.cell is self._cell and n.value is not None and self._may_be_at_fault(n.key)]
        latest = max((n.changed_at for n in able), default=0)
        found = tuple(n.key for n in able if n.changed_at == latest)
        return found if len(found) <= _MAX_CULPRITS else ()

    def _rejections(self, key: Hashable) -> Iterator[RejectedResource]:
        for at, rejected in list(self._rejected.items()):
            if key not in rejected.culprits:
                continue
            if self._is_served(rejected):
                yield rejected.resource
            else:
                del self._rejected[at]  # mended since

    def _is_served(self, rejected: _Rejected) -> bool:
        resource = rejected.resource
        tables = (table for table in self._world.tables if table.key.type_url == rejected.type_url)
        found = (table.resources.get(resource.name) for table in tables)
        return any(one is not None and one.version == resource.version for one in found)

    # -- whom an object concerns -----------------------------------------------------------------------------------

    def _concerned(self, key: Hashable) -> Iterator[Watch]:
        """Watches that are served something that was computed from the object."""
        for node in self._reached(key):
            for session in self._world.views.sessions_of(node):
                yield from session.watches.values()
            for table in self._world.tables.fed_by(node):
                yield from table.watchers_of(node)

    def _reached(self, key: Hashable) -> Iterable[Node]:
        db: Database = self._world.db
        start = db.tables[self._cell].get(key)
        if start is None:
            return ()
        seen: dict[Node, None] = {}
        pending = [start]
        while pending:
            node = pending.pop()
            if node not in seen:
                seen[node] = None
                pending.extend(node.dependents)
        return seen


def _is_done(watch: Watch) -> bool:
    """Whether all that a stream was to be told is acknowledged or rejected; one that ended waits for nothing."""
    if not watch.tables:
        return True
    return watch.in_flight is None and not (watch.dirty or watch.retries)


def _blamed(watch: Watch, what: Rejected) -> list[str]:
    """The resources that are bad.

    Several of a type of which the good ones are taken are told apart by the words of the error. Of other types nothing
    was taken, and halves of it are tried until the bad one is alone.
    """
    if len(what.names) == 1:
        return list(what.names)
    if what.type_url not in _TAKEN_IN_PARTS:
        return []
    named = [name for table in watch.tables for name in table.resources if name and name in what.error]
    return [name for name in named if not any(name != other and name in other for other in named)][:_BLAMED_AT_ONCE]


def _find(watch: Watch, name: str) -> Node | None:
    for table in watch.tables:
        node = table.node_of(name)
        if node is not None:
            return node
    return None
