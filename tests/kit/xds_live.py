"""The real ADS server over real gRPC, with a hand-made world behind it, and a client that behaves as Envoy does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, cast

import grpc
import grpc.aio

from discovery.auth.caller import Listener
from discovery.auth.chain import Gatekeeper
from discovery.engine import Commit, Database
from discovery.runtime.clock import SystemClock
from discovery.runtime.readiness import Readiness
from discovery.schema.meta import Kind
from discovery.store.state import StoreCommit
from discovery.wire.envoy import DeltaDiscoveryRequest, DiscoveryRequest, Node
from discovery.xds.endpoint import GrpcEndpoint, GrpcSettings
from discovery.xds.metrics import XdsMetrics
from discovery.xds.server import SERVICE, AdsServer, AdsSettings
from tests.kit.xds_clients import DeltaClient, SotwClient
from tests.kit.xds_world import CONTENT, HandMade

__all__ = ["AdsStream", "LiveAds", "live_ads", "node_of"]


class LiveAds:
    """A server and its world; ``put`` changes the world as a store would."""

    def __init__(self, ads: AdsServer, db: Database, metrics: XdsMetrics, readiness: Readiness) -> None:
        self.ads = ads
        self.db = db
        self.metrics = metrics
        self.readiness = readiness
        self.port = 0

    def put(
        self, scope: str, type_url: str, content: Mapping[str, bytes], *, endpoints_only: bool = False
    ) -> StoreCommit:
        """Make these the resources of a scope and type."""
        return self.tell(self.db.commit([(CONTENT, (scope, type_url), dict(content))]), endpoints_only=endpoints_only)

    def tell(self, commit: Commit, *, endpoints_only: bool = False) -> StoreCommit:
        """Pass a commit on."""
        done = StoreCommit(commit, frozenset({Kind.VIRTUAL_SERVICE}), endpoints_only=endpoints_only)
        self.ads.on_commit(done)
        return done


@asynccontextmanager
async def live_ads(
    *,
    settings: AdsSettings | None = None,
    authenticator: Gatekeeper | None = None,
    via: Listener = Listener.PLAINTEXT,
    address: str = "127.0.0.1:0",
    generators: HandMade | None = None,
    **more: Any,
) -> AsyncIterator[LiveAds]:
    """Serve at a free port of loopback while the block runs."""
    db = Database()
    readiness, metrics = Readiness(), XdsMetrics()
    ads = AdsServer(
        db,
        generators or HandMade(),
        clock=SystemClock(),
        readiness=readiness,
        authenticator=authenticator,
        metrics=metrics,
        settings=settings or AdsSettings(debounce_quiet_s=0.01),
        **more,
    )
    live = LiveAds(ads, db, metrics, readiness)
    endpoint = GrpcEndpoint("grpc", address, [ads.handler(via)], GrpcSettings(drain_s=1.0))
    async with ads, endpoint, asyncio.TaskGroup() as group:
        live.port = endpoint.port
        task = group.create_task(ads.run())
        try:
            yield live
        finally:
            task.cancel()


def node_of(name: str = "web-0", namespace: str = "shop", **metadata: str) -> Node:
    """A sidecar's node, as an Envoy of today would send it."""
    node = Node(id=f"sidecar~10.0.0.1~{name}.{namespace}~{namespace}.svc.cluster.local", user_agent_name="envoy")
    node.metadata.update({"NAMESPACE": namespace, "NAME": name, "ISTIO_VERSION": "1.30.0", **metadata})
    node.user_agent_build_version.version.major_number = 1
    node.user_agent_build_version.version.minor_number = 40
    return node


class AdsStream:
    """One stream of a client of the kit; a task answers what comes until the block ends."""

    def __init__(self, target: str, client: DeltaClient | SotwClient, *, node: Node | None = None) -> None:
        self.client = client
        self.error: grpc.aio.AioRpcError | None = None
        self._target = target
        self._node = node if node is not None else node_of()
        self._news = asyncio.Event()
        self._first = True
        self._writing = asyncio.Lock()  # gRPC takes one write at a time

    async def __aenter__(self) -> Self:
        """Open the stream; nothing is said yet."""
        delta = isinstance(self.client, DeltaClient)
        method = "DeltaAggregatedResources" if delta else "StreamAggregatedResources"
        # The stubs ask for arguments that the library does not need.
        channel = grpc.aio.insecure_channel(self._target, options=[("grpc.max_receive_message_length", -1)])
        self._channel = cast("Any", channel)
        self.call: Any = self._channel.stream_stream(f"/{SERVICE}/{method}")()
        self._group = await asyncio.TaskGroup().__aenter__()
        self._reader = self._group.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._reader.cancel()
        self.call.cancel()
        await self._group.__aexit__(None, None, None)
        await self._channel.close()

    async def send(self, *requests: bytes) -> None:
        """Send requests; the first of the stream gets the node."""
        for raw in requests:
            data = raw
            if self._first:
                kind = DeltaDiscoveryRequest if isinstance(self.client, DeltaClient) else DiscoveryRequest
                message = kind.FromString(raw)
                message.node.CopyFrom(self._node)
                data, self._first = message.SerializeToString(), False
            async with self._writing:
                await self.call.write(data)

    async def until(self, condition: Callable[[], bool], *, within_s: float = 10.0) -> None:
        """Return when the condition holds; it is looked at after each response."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def _read(self) -> None:
        try:
            while isinstance(raw := await self.call.read(), bytes):
                await self.send(*self.client.take(raw))
                self._news.set()
        except grpc.aio.AioRpcError as error:
            self.error = error
        except asyncio.InvalidStateError:
            return  # the call was cancelled by the end of the block
        if self.error is None and self.call.done():
            code, details = await self.call.code(), await self.call.details()
            if code is not grpc.StatusCode.OK:
                self.error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details, None)
        self._news.set()
