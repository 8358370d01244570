"""The ADS service: sets streams up, serves them, and keeps them up with commits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from itertools import count
from types import TracebackType
from typing import Final, Self

import grpc
import grpc.aio
import msgspec

from discovery.auth.caller import Listener
from discovery.auth.chain import Gatekeeper
from discovery.engine import Database
from discovery.registry.registrant import Registrant
from discovery.runtime.clock import Clock
from discovery.runtime.grpc_abort import abort
from discovery.runtime.logs import get_logger
from discovery.runtime.readiness import Readiness
from discovery.store.state import StoreCommit
from discovery.translate.tables import Generators
from discovery.wire.type_urls import HEALTH_INFORMATION, SECRET, VIRTUAL_HOST, short_name
from discovery.xds.admission import ByteBudget
from discovery.xds.connection import Connection, Context, StreamEndedError, Wiring
from discovery.xds.connections import Connections
from discovery.xds.delivery import Deliveries
from discovery.xds.delta import Delta
from discovery.xds.metrics import XdsMetrics
from discovery.xds.node_key import proxy_key
from discovery.xds.pusher import Pusher
from discovery.xds.reception import Admitted, Reception
from discovery.xds.rejections import Rejection
from discovery.xds.session import Session
from discovery.xds.sotw import StateOfTheWorld
from discovery.xds.variant import Variant
from discovery.xds.workloads import Workloads, registered, registrant_of
from discovery.xds.world import Expired, Fact, Limits, Rejected, Unserved, World

__all__ = ["SERVICE", "AdsServer", "AdsSettings"]

SERVICE: Final = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_SETTLE_S: Final = 0.25  # how long a new stream keeps its place in the set-up while it does not acknowledge anything
_IDLE_S: Final = 30.0  # quiet time after which memory that nobody needs is given back
_UNKNOWN_KEPT: Final = 64


class AdsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What may be set of the service."""

    vhds: bool = True  # virtual hosts on their own for proxies that can take them
    auto_allocate: bool = True  # addresses made for hosts reach every proxy that captures DNS
    debounce_quiet_s: float = 0.1
    debounce_max_s: float = 10.0
    write_timeout_s: float = 30.0  # a stream that does not take a response for this long is closed
    sweep_s: float = 5.0  # how often streams and failures are looked at
    limits: Limits = Limits()
    places: int = 16  # streams that are set up at the same time
    large_bytes: int = 16 << 20  # of large responses that are written at the same time


class AdsServer:
    """The Aggregated Discovery Service. A ``Service``; ``handler`` is what gRPC servers are given.

    Args:
        db: the query database.
        generators: what is served.
        clock: where instants come from.
        readiness: streams are refused while something blocks it.
        authenticator: who is calling at the front; without it nobody is asked (XDS_AUTH=false).
        metrics: where to count.
        workloads: registers virtual machines, and takes reports of their health.
        settings: see there.
    """

    name = "xds"

    def __init__(  # noqa: PLR0913 - the seams of the service; `app` wires them by name
        self,
        db: Database,
        generators: Generators,
        *,
        clock: Clock,
        readiness: Readiness,
        authenticator: Gatekeeper | None = None,
        metrics: XdsMetrics | None = None,
        workloads: Workloads | None = None,
        settings: AdsSettings | None = None,
    ) -> None:
        self._settings = settings or AdsSettings()
        self._db = db
        self._clock = clock
        self._metrics = metrics or XdsMetrics()
        self._workloads = workloads
        self._world = World.of(db, generators, self._settings.limits)
        self._pusher = Pusher(
            self._world,
            clock,
            self._metrics,
            quiet_s=self._settings.debounce_quiet_s,
            max_s=self._settings.debounce_max_s,
        )
        self._reception = Reception(readiness, authenticator, places=self._settings.places)
        self._budget = ByteBudget(limit=self._settings.large_bytes)
        self._numbers = count(1)
        self._delta = Delta()
        self._unknown: set[str] = set()
        self._log = get_logger("ads")
        self._collected = (0, 0)
        self._failing: dict[str, str] = {}
        self.connections = Connections(clock, failures=self._failures)
        self.deliveries = Deliveries(self._world, lambda: self._pusher.pending)

    # -- the service -----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Nothing to bind: the gRPC servers do."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop acting on changes."""
        self._pusher.close()

    async def run(self) -> None:
        """Push changes and look after streams until cancelled; then end the streams, so that clients go elsewhere."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pusher.run(), name="xds pusher")
                group.create_task(self._sweep(), name="xds sweep")
        finally:
            for connection in self.connections.living():
                connection.end(grpc.StatusCode.UNAVAILABLE, "the server is shutting down")

    def on_commit(self, done: StoreCommit) -> None:
        """Take a commit of the store; to be subscribed to it."""
        self._pusher.on_commit(done)

    def handler(self, via: Listener) -> grpc.GenericRpcHandler[bytes, bytes]:
        """The gRPC handler for one door."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "StreamAggregatedResources": grpc.stream_stream_rpc_method_handler(
                    partial(self._stream, via, StateOfTheWorld())
                ),
                "DeltaAggregatedResources": grpc.stream_stream_rpc_method_handler(
                    partial(self._stream, via, self._delta)
                ),
            },
        )

    async def _sweep(self) -> None:
        """Close streams that take nothing; when it is quiet, give memory back."""
        while True:
            await asyncio.sleep(self._settings.sweep_s)
            self._log_failures()
            now = self._clock.monotonic()
            for connection in self.connections.living():
                since = connection.writing_since
                if since is not None and now - since > self._settings.write_timeout_s:
                    self._metrics.write_timeouts.inc()
                    self._log.warning("stream takes no response, closed", proxy=connection.id)
                    connection.end(grpc.StatusCode.UNAVAILABLE, "a response was not taken in time")
            state = (self._db.revision, self._world.tables.dropped)
            if state != self._collected and now - self._pusher.active_at > _IDLE_S:
                self._collected = state
                self._world.tables.trim()
                self._delta.trim()
                self._db.collect()

    def _log_failures(self) -> None:
        """Say once what cannot be computed, and when it is well again."""
        failures = dict(self._failures())
        for what, error in failures.items():
            if self._failing.get(what) != error:
                self._log.error("cannot be computed, last good one stays", what=what, error=error)
        for what in self._failing.keys() - failures.keys():
            self._log.info("can be computed again", what=what)
        self._failing = failures

    # -- one stream ------------------------------------------------------------------------------------------------

    async def _stream(self, via: Listener, variant: Variant, _requests: object, context: Context) -> None:
        try:
            await self._serve(via, variant, context)
        except StreamEndedError as ended:
            await abort(context, ended.code, ended.details)
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Exception as error:  # noqa: BLE001 - the boundary of one stream
            self._metrics.internal_errors.inc()
            self._log.error("stream failed", peer=context.peer(), exc_info=error)
            await abort(context, grpc.StatusCode.INTERNAL, "internal error")

    async def _serve(self, via: Listener, variant: Variant, context: Context) -> None:
        admitted = await self._reception.admit(via, variant, context)
        place = admitted.place
        patience = asyncio.get_running_loop().call_later(_SETTLE_S, place.leave)
        registrant = registrant_of(admitted.node, admitted.identity, self._clock.now())
        try:
            async with registered(self._workloads, registrant):
                connection = self._connect(variant, context, admitted, registrant)
                try:
                    connection.receive(admitted.request)
                    del admitted  # the request may be large, and the stream may last for weeks
                    await connection.serve()
                finally:
                    self._disconnect(connection)
        finally:
            patience.cancel()
            place.leave()

    def _connect(
        self, variant: Variant, context: Context, admitted: Admitted, registrant: Registrant | None
    ) -> Connection:
        delta = isinstance(variant, Delta)
        refused = frozenset() if delta else frozenset({VIRTUAL_HOST})
        if not admitted.identity:
            refused |= {SECRET}  # secrets go only to those who are known
        key = proxy_key(
            admitted.node, delta=delta, vhds=self._settings.vhds, auto_allocate=self._settings.auto_allocate
        )
        session = Session(self._world, key, variant, number=next(self._numbers), refused=refused)
        wiring = Wiring(
            clock=self._clock,
            metrics=self._metrics,
            budget=self._budget,
            report=self._report,
            settled=admitted.place.leave,
        )
        connection = Connection(
            session, admitted.node, context, wiring, address=admitted.address, identity=admitted.identity
        )
        connection.registrant = registrant
        self.connections.add(connection)
        self._pusher.add(connection)
        self._metrics.connections.inc(admitted.node.metadata.istio_version)
        self._metrics.triggers.inc("proxyrequest")
        self._log.info("proxy connected", proxy=connection.id, peer=connection.address, delta=delta)
        return connection

    def _disconnect(self, connection: Connection) -> None:
        self._pusher.discard(connection)
        self.connections.discard(connection)
        connection.session.close()
        self._metrics.connections.dec(connection.node.metadata.istio_version)
        self._log.info("proxy disconnected", proxy=connection.id)

    # -- what sessions report --------------------------------------------------------------------------------------

    def _report(self, connection: Connection, facts: tuple[Fact, ...]) -> None:
        for fact in facts:
            short = short_name(fact.type_url).lower()
            if isinstance(fact, Rejected):
                self._metrics.rejects.inc(short)
                rejection = Rejection(at=self._clock.now(), connection=connection.id, what=fact)
                self.connections.rejections.add(rejection)
                self.deliveries.on_rejection(connection, rejection)
                self._log.warning(
                    "response rejected", proxy=connection.id, type=short_name(fact.type_url), error=fact.error
                )
            elif isinstance(fact, Expired):
                self._metrics.expired.inc(short)
            elif isinstance(fact, Unserved):
                self._unserved(connection, fact)

    def _unserved(self, connection: Connection, fact: Unserved) -> None:
        type_url = fact.type_url
        if type_url == HEALTH_INFORMATION:
            if self._workloads is not None and connection.registrant is not None:
                self._workloads.report_health(connection.registrant, fact.error)
            return
        if type_url not in self._unknown and len(self._unknown) < _UNKNOWN_KEPT:
            self._unknown.add(type_url)
            self._log.info("type asked for is not served", proxy=connection.id, type=type_url)

    def _failures(self) -> Mapping[str, str]:
        found = {f"proxy {'/'.join(key.ips)}": error for key, error in self._world.views.failing().items()}
        for table in self._world.tables:
            kind = short_name(table.key.type_url)
            found.update((f"{kind} {name}", error) for name, error in table.failures.items())
        return found
