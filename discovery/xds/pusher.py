"""From commits to pushes: collects what commits touched, and when it is due, tells the connections concerned.

A commit costs a look at the nodes it touched. The rest happens in slices, so that a push to a thousand proxies leaves
room for requests, for new streams and for the next commit.
"""

from __future__ import annotations

import asyncio
from typing import Final

from discovery.engine import Commit, Node
from discovery.runtime.clock import Clock
from discovery.runtime.debounce import DebouncedCall
from discovery.schema.meta import Kind
from discovery.store.state import StoreCommit
from discovery.wire.type_urls import ENDPOINT
from discovery.xds.connection import Connection, StreamEndedError
from discovery.xds.metrics import XdsMetrics
from discovery.xds.push_queue import PushQueue
from discovery.xds.session import Session
from discovery.xds.world import World

__all__ = ["Pusher"]

_SLICE: Final = 32  # pushes started before others get their turn; about a millisecond
_SERVICES: Final = frozenset({Kind.SERVICE, Kind.SERVICE_ENTRY})


class Pusher:
    """Owns the pending changes and the push queue."""

    def __init__(
        self, world: World, clock: Clock, metrics: XdsMetrics, *, quiet_s: float = 0.1, max_s: float = 10.0
    ) -> None:
        self._world = world
        self._clock = clock
        self._metrics = metrics
        self._touched: dict[Node, None] = {}
        self._touched_since = 0.0
        self._queue: PushQueue[Connection] = PushQueue()
        self._work = asyncio.Event()
        self._debounced = DebouncedCall(self.flush, clock, quiet_s=quiet_s, max_s=max_s)
        self._connection_of: dict[Session, Connection] = {}
        self.active_at = clock.monotonic()

    @property
    def pending(self) -> bool:
        """Whether changes were committed that streams have not been marked for."""
        return bool(self._touched)

    def add(self, connection: Connection) -> None:
        """Push to this connection from now on."""
        self._connection_of[connection.session] = connection

    def discard(self, connection: Connection) -> None:
        """Push to it no longer."""
        self._connection_of.pop(connection.session, None)
        self._queue.discard(connection)

    def on_commit(self, done: StoreCommit) -> None:
        """Take a commit of the store."""
        self._count(done)
        self.on_engine_commit(done.commit, endpoints_only=done.endpoints_only)

    def on_engine_commit(self, commit: Commit, *, endpoints_only: bool = False) -> None:
        """Take a commit; one that only concerns endpoints never waits for a burst to end."""
        if not commit.touched:
            return
        now = self._clock.monotonic()
        if endpoints_only:
            # A node that an earlier change touched is not reported again until it is read; so what waits of the
            # endpoints goes along.
            waiting = [n for n in self._touched if ENDPOINT in self._world.tables.types_fed_by(n)]
            for node in waiting:
                del self._touched[node]
            self._apply(dict.fromkeys([*waiting, *commit.touched]), now)
            return
        if not self._touched:
            self._touched_since = now
        self._touched.update(dict.fromkeys(commit.touched))
        self._debounced.change()

    def flush(self) -> None:
        """Act on all changes so far."""
        touched, self._touched = self._touched, {}
        if touched:
            self._metrics.debounce.observe(self._clock.monotonic() - self._touched_since)
            self._apply(touched, self._touched_since)

    def _apply(self, touched: dict[Node, None], since: float) -> None:
        self.active_at = self._clock.monotonic()
        for session, view in self._world.views.affected(touched):
            if session.look(view):
                self._enqueue(session, since)
        for table, names in self._world.tables.refresh(touched).items():
            for watch in table.watchers(names):
                watch.session.mark(watch)
                self._enqueue(watch.session, since)
        if len(self._queue):
            self._work.set()

    def _enqueue(self, session: Session, since: float) -> None:
        connection = self._connection_of.get(session)
        if connection is not None:
            self._queue.add(connection, since)

    async def run(self) -> None:
        """Push, slice by slice, until cancelled."""
        while True:
            await self._work.wait()
            now = self._clock.monotonic()
            for connection, since in self._queue.take(_SLICE):
                self._metrics.queue_time.observe(now - since)
                if connection.pushed_since is None:
                    connection.pushed_since = since
                try:
                    connection.pump()
                except StreamEndedError as ended:
                    connection.end(ended.code, ended.details)
            if not len(self._queue):
                self._work.clear()
            await asyncio.sleep(0)

    def close(self) -> None:
        """Act on no more changes."""
        self._debounced.close()

    def _count(self, done: StoreCommit) -> None:
        metrics = self._metrics
        if done.endpoints_only:
            metrics.updates.inc("eds")
            metrics.triggers.inc("endpoint")
        elif done.kinds & _SERVICES:
            metrics.updates.inc("svc")
            metrics.triggers.inc("service")
        elif done.kinds:
            metrics.updates.inc("config")
            metrics.triggers.inc("config")
        if done.mesh:
            metrics.triggers.inc("global")
