"""Who is connected, and what each holds: a read-only window for the debug endpoints.

Nothing is copied until it is asked for, so the window costs nothing while nobody looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from discovery.mesh.proxy import ProxyKey, ProxyView
from discovery.runtime.clock import Clock
from discovery.wire.resource import Resource
from discovery.xds.connection import Connection
from discovery.xds.node_key import NodeFacts
from discovery.xds.rejections import Rejections
from discovery.xds.table import Form
from discovery.xds.watch import Watch

__all__ = ["ConnectionInfo", "Connections", "WatchInfo"]


class WatchInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One type of a connection. Instants are None for what never happened."""

    type_url: str
    names: frozenset[str]  # explicitly watched
    wildcard: bool
    sent: str  # nonce of the last response
    acked: str  # nonce of the last response that the client accepted
    sent_at: datetime | None
    acked_at: datetime | None
    error: str  # why it rejected the last response; empty when it did not
    error_at: datetime | None
    pending: bool  # there is more to send than was sent
    failures: Mapping[str, str]  # names (``*``: the list of names) that cannot be computed now -> the error

    @property
    def synced(self) -> bool:
        """Whether the client has accepted the latest there is, and that is what configuration asks for."""
        return self.sent == self.acked and not (self.pending or self.error or self.failures)


class ConnectionInfo:
    """One connection; reads through to the living one."""

    def __init__(self, connection: Connection, instant: Callable[[float], datetime | None]) -> None:
        self._connection = connection
        self._instant = instant

    @property
    def id(self) -> str:
        """``<proxy id>-<n>``."""
        return self._connection.id

    @property
    def proxy_id(self) -> str:
        """``<name>.<namespace>``."""
        return self._connection.node.id.name

    @property
    def connected_at(self) -> datetime:
        """When its first request was admitted."""
        return self._connection.connected_at

    @property
    def address(self) -> str:
        """The peer."""
        return self._connection.address

    @property
    def identity(self) -> str:
        """The verified SPIFFE id; empty on plaintext."""
        return self._connection.identity

    @property
    def node(self) -> NodeFacts:
        """What it said of itself."""
        return self._connection.node

    @property
    def key(self) -> ProxyKey:
        """What its configuration may depend on."""
        return self._connection.session.key

    @property
    def view(self) -> ProxyView:
        """What selection made of it."""
        return self._connection.session.view

    @property
    def delta(self) -> bool:
        """Whether it speaks delta xDS."""
        return self._connection.session.variant.form is Form.DELTA

    def watches(self) -> Iterator[WatchInfo]:
        """Its types, in the order in which it asked for them."""
        for watch in self._connection.session.watches.values():
            yield self._watch_info(watch)

    def resources(self, type_url: str) -> Mapping[str, Resource]:
        """The resources of a type that it is served right now, by name."""
        watch = self._connection.session.watches.get(type_url)
        if watch is None:
            return {}
        found: dict[str, Resource] = {}
        for table in reversed(watch.tables):
            found.update((name, table.resources[name]) for name in table.present(watch.names))
        return found

    def _watch_info(self, watch: Watch) -> WatchInfo:
        return WatchInfo(
            type_url=watch.type_url,
            names=watch.names.explicit,
            wildcard=watch.names.wildcard,
            sent=watch.nonce,
            acked=watch.acked,
            sent_at=self._instant(watch.sent_at),
            acked_at=self._instant(watch.acked_at),
            error=watch.error,
            error_at=self._instant(watch.error_at),
            pending=watch.dirty or bool(watch.lingering),
            failures={
                name: error
                for table in watch.tables
                for name, error in table.failures.items()
                if name == "*" or watch.names.wants(name)
            },
        )


class Connections:
    """All connections of a server."""

    def __init__(self, clock: Clock, *, failures: Callable[[], Mapping[str, str]]) -> None:
        self._clock = clock
        self._connections: dict[Connection, None] = {}
        self._failures = failures
        self.rejections = Rejections()

    def add(self, connection: Connection) -> None:
        """For the server: one more."""
        self._connections[connection] = None

    def discard(self, connection: Connection) -> None:
        """For the server: one less."""
        self._connections.pop(connection, None)

    def living(self) -> tuple[Connection, ...]:
        """For the server: the connections themselves."""
        return tuple(self._connections)

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[ConnectionInfo]:
        for connection in tuple(self._connections):
            yield ConnectionInfo(connection, self._instant)

    def find(self, proxy_id: str) -> ConnectionInfo | None:
        """The newest connection whose id contains ``proxy_id``, as istiod matches it."""
        found = [connection for connection in self._connections if proxy_id in connection.id]
        return ConnectionInfo(found[-1], self._instant) if found else None

    def failures(self) -> Mapping[str, str]:
        """What cannot be computed at present and is served as it last was: ``<type> <name>`` -> the error."""
        return self._failures()

    def _instant(self, monotonic_s: float) -> datetime | None:
        if not monotonic_s:
            return None
        return self._clock.now() - timedelta(seconds=self._clock.monotonic() - monotonic_s)
