"""The ADS service: sets streams up, serves them, and keeps them up with commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from types import TracebackType
from typing import Final, NoReturn, Protocol, Self

import grpc
import grpc.aio
import msgspec

from discovery.auth.caller import Caller, CallerKind, Credentials, Listener, authorize_node
from discovery.auth.errors import ForbiddenError, UnauthenticatedError
from discovery.engine import Database
from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger
from discovery.runtime.readiness import Readiness
from discovery.store.state import StoreCommit
from discovery.translate.tables import Generators
from discovery.wire.envoy import Node
from discovery.wire.node import NodeError, NodeType
from discovery.wire.type_urls import HEALTH_INFORMATION, SECRET, VIRTUAL_HOST, short_name
from discovery.xds.admission import Admission, ByteBudget, QueueFullError
from discovery.xds.connection import Connection, Context, StreamEndedError, Wiring
from discovery.xds.connections import Connections
from discovery.xds.delta import Delta
from discovery.xds.metrics import XdsMetrics
from discovery.xds.node_key import NodeFacts, proxy_key, read_node
from discovery.xds.pusher import Pusher
from discovery.xds.rejections import Rejection
from discovery.xds.request import Request, RequestError
from discovery.xds.session import Session
from discovery.xds.sotw import StateOfTheWorld
from discovery.xds.variant import Variant
from discovery.xds.world import Expired, Fact, Limits, Rejected, Unserved, World

__all__ = ["SERVICE", "AdsServer", "AdsSettings", "HealthHook"]

SERVICE: Final = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_FIRST_REQUEST_S: Final = 30.0  # how long a new stream may take to say who it is
_SETTLE_S: Final = 1.0  # how long a new stream keeps its place in the set-up while it does not acknowledge anything
_SWEEP_S: Final = 5.0
_IDLE_S: Final = 30.0  # quiet time after which memory that nobody needs is given back
_UNKNOWN_KEPT: Final = 64
_DEAD_TYPES: Final = frozenset({NodeType.ZTUNNEL})  # proxies that need what we do not serve


class Authenticator(Protocol):
    """Says who is calling."""

    async def authenticate(self, credentials: Credentials) -> Caller:
        """The caller. Raises: UnauthenticatedError."""


class HealthHook(Protocol):
    """Takes what a VM says of its own health."""

    def __call__(self, connection: Connection, error: str | None) -> None:
        """``error`` is None when it is healthy."""


class AdsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What may be set of the service."""

    vhds: bool = True  # virtual hosts on their own for proxies that can take them
    debounce_quiet_s: float = 0.1
    debounce_max_s: float = 10.0
    write_timeout_s: float = 30.0  # a stream that does not take a response for this long is closed
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
        health: takes reports of health.
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
        authenticator: Authenticator | None = None,
        metrics: XdsMetrics | None = None,
        health: HealthHook | None = None,
        settings: AdsSettings | None = None,
    ) -> None:
        self._settings = settings or AdsSettings()
        self._db = db
        self._clock = clock
        self._readiness = readiness
        self._authenticator = authenticator
        self._metrics = metrics or XdsMetrics()
        self._health = health
        self._world = World.of(db, generators, self._settings.limits)
        self._pusher = Pusher(
            self._world,
            clock,
            self._metrics,
            quiet_s=self._settings.debounce_quiet_s,
            max_s=self._settings.debounce_max_s,
        )
        self._admission = Admission(places=self._settings.places)
        self._budget = ByteBudget(limit=self._settings.large_bytes)
        self._numbers = count(1)
        self._unknown: set[str] = set()
        self._log = get_logger("ads")
        self._collected = (0, 0)
        self.connections = Connections(clock, failures=self._failures)

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
        """Push changes and look after streams until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pusher.run(), name="xds pusher")
            group.create_task(self._sweep(), name="xds sweep")

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
                "DeltaAggregatedResources": grpc.stream_stream_rpc_method_handler(partial(self._stream, via, Delta())),
            },
        )

    async def _sweep(self) -> None:
        """Close streams that take nothing; when it is quiet, give memory back."""
        while True:
            await asyncio.sleep(_SWEEP_S)
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
                self._db.collect()

    # -- one stream ------------------------------------------------------------------------------------------------

    async def _stream(self, via: Listener, variant: Variant, _requests: object, context: Context) -> None:
        try:
            await self._serve(via, variant, context)
        except StreamEndedError as ended:
            await _abort(context, ended)
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Exception as error:  # noqa: BLE001 - the boundary of one stream
            self._metrics.internal_errors.inc()
            self._log.error("stream failed", peer=context.peer(), exc_info=error)
            await _abort(context, StreamEndedError(grpc.StatusCode.INTERNAL, "internal error"))

    async def _serve(self, via: Listener, variant: Variant, context: Context) -> None:
        if not self._readiness.ready:
            raise StreamEndedError(
                grpc.StatusCode.UNAVAILABLE, f"not ready: {', '.join(self._readiness.reasons)}; try again"
            )
        try:
            await self._admission.enter()
        except QueueFullError as error:
            raise StreamEndedError(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error)) from error
        place = _Place(self._admission)
        try:
            credentials = Credentials.read(via, context.peer(), context.invocation_metadata() or ())
            caller = await self._authenticate(credentials)
            request, node = await _first_request(variant, context)
            connection = self._connect(variant, context, node, caller, credentials, place.leave)
            del node  # it keeps alive the whole message that it is a part of
        except BaseException:
            place.leave()
            raise
        patience = asyncio.get_running_loop().call_later(_SETTLE_S, place.leave)
        try:
            connection.receive(request)
            del request
            await connection.serve()
        finally:
            patience.cancel()
            place.leave()
            self._disconnect(connection)

    async def _authenticate(self, credentials: Credentials) -> Caller | None:
        """The caller; None where nobody is asked."""
        if credentials.via is Listener.PLAINTEXT or self._authenticator is None:
            return None
        try:
            return await self._authenticator.authenticate(credentials)
        except UnauthenticatedError as refusal:
            self._log.warning("caller refused", peer=credentials.peer, reason=str(refusal))
            raise StreamEndedError(grpc.StatusCode.UNAUTHENTICATED, "authentication failure") from refusal

    def _connect(
        self,
        variant: Variant,
        context: Context,
        node: Node,
        caller: Caller | None,
        credentials: Credentials,
        settled: Callable[[], None],
    ) -> Connection:
        try:
            facts = read_node(node)
        except NodeError as error:
            raise StreamEndedError(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error
        if facts.id.type in _DEAD_TYPES:
            raise StreamEndedError(grpc.StatusCode.INVALID_ARGUMENT, f"proxies of type {facts.id.type} are not served")
        identity = self._authorize(caller, facts)
        delta = isinstance(variant, Delta)
        refused = frozenset() if delta else frozenset({VIRTUAL_HOST})
        if not identity:
            refused |= {SECRET}  # secrets go only to those who are known
        key = proxy_key(facts, delta=delta, vhds=self._settings.vhds)
        session = Session(self._world, key, variant, number=next(self._numbers), refused=refused)
        wiring = Wiring(
            clock=self._clock, metrics=self._metrics, budget=self._budget, report=self._report, settled=settled
        )
        connection = Connection(session, facts, context, wiring, address=credentials.peer, identity=identity)
        self.connections.add(connection)
        self._pusher.add(connection)
        self._metrics.connections.inc(facts.metadata.istio_version)
        self._metrics.triggers.inc("proxyrequest")
        self._log.info("proxy connected", proxy=connection.id, peer=connection.address, delta=delta)
        return connection

    def _authorize(self, caller: Caller | None, facts: NodeFacts) -> str:
        if caller is None or caller.kind is CallerKind.ANONYMOUS:
            return ""
        try:
            identity = authorize_node(caller, namespace=facts.namespace, service_account=facts.metadata.service_account)
        except ForbiddenError as refusal:
            self._log.warning("proxy refused", proxy=facts.id.name, reason=str(refusal))
            raise StreamEndedError(grpc.StatusCode.PERMISSION_DENIED, "the caller is not this node") from refusal
        return str(identity or "")

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
                self.connections.rejections.add(Rejection(at=self._clock.now(), connection=connection.id, what=fact))
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
            if self._health is not None:
                self._health(connection, fact.error)
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


class _Place:
    """A place in the set-up, given back once."""

    def __init__(self, admission: Admission) -> None:
        self._admission: Admission | None = admission

    def leave(self) -> None:
        """Give it back, unless that was done."""
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.leave()


async def _first_request(variant: Variant, context: Context) -> tuple[Request, Node]:
    """The first request that opens a subscription; a report of health before it is dropped."""
    try:
        async with asyncio.timeout(_FIRST_REQUEST_S):
            while True:
                raw = await context.read()
                if not isinstance(raw, bytes):
                    raise StreamEndedError(grpc.StatusCode.CANCELLED, "the client said nothing")
                request, node = _parsed(variant, raw)
                if request.type_url != HEALTH_INFORMATION:
                    break
    except TimeoutError:
        raise StreamEndedError(grpc.StatusCode.DEADLINE_EXCEEDED, "no first request in time") from None
    if not node.id:
        raise StreamEndedError(grpc.StatusCode.INVALID_ARGUMENT, "missing node information")
    return request, node


def _parsed(variant: Variant, raw: bytes) -> tuple[Request, Node]:
    try:
        return variant.parse(raw)
    except RequestError as error:
        raise StreamEndedError(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error


async def _abort(context: Context, ended: StreamEndedError) -> NoReturn:
    await context.abort(ended.code, ended.details)
    raise AssertionError("abort returns never")
