"""A sidecar's xDS stream without an Envoy: a real gRPC client that asks in Envoy's order and remembers each answer.

The session of the load generator says what to ask; here is the stream around it, and what tests want to know of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

import grpc
import grpc.aio

from benchmarks.loadgen.payload import Reader, Response, Variant
from benchmarks.loadgen.session import DeltaSession, SotwSession
from discovery.wire.envoy import Node
from discovery.wire.type_urls import CLUSTER, short_name
from tests.kit.live import beside
from tests.kit.live_proxy import ProxyNode

__all__ = ["LiveClient", "Received", "connected"]

_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
_RPC = {Variant.DELTA: "DeltaAggregatedResources", Variant.SOTW: "StreamAggregatedResources"}
_WITHIN_S = 20

Call = grpc.aio.StreamStreamCall[bytes, bytes]


class Received(NamedTuple):
    """One response: what it brought and took."""

    type: str
    names: tuple[str, ...]
    removed: tuple[str, ...] = ()


class LiveClient:
    """What one sidecar holds, over any number of streams; ``connected`` opens them."""

    def __init__(self, node: ProxyNode, variant: Variant = Variant.DELTA) -> None:
        self.variant = variant
        self.received: list[Received] = []
        self.bytes = 0
        self.ended = ""
        version = {"version": {"major_number": 1, "minor_number": 40}}
        envoy = {"user_agent_name": "envoy", "user_agent_build_version": version}
        raw = Node(**node.to_data(), **envoy).SerializeToString()
        reader = Reader(variant)
        self.session = DeltaSession(raw, reader) if variant is Variant.DELTA else SotwSession(raw, reader)
        self.session.reject = self._note  # it sees every response, and rejects none
        self._news = asyncio.Event()

    def _note(self, response: Response) -> str:
        batch = response.batch
        names = tuple(sorted(entry.name for entry in batch.entries))
        self.received.append(Received(short_name(response.type_url), names, tuple(sorted(batch.removed))))
        self.bytes += response.size_bytes
        return ""

    def about(self, *parts: str) -> list[Received]:
        """What was received and names something with one of these parts."""
        return [r for r in self.received if any(part in name for name in r.names + r.removed for part in parts)]

    async def serve(self, call: Call) -> None:
        """Speak on one stream until it ends."""
        try:
            for request in self.session.open():
                await call.write(request)
            while isinstance(data := await call.read(), bytes):
                for request in self.session.receive(data):
                    await call.write(request)
                self._news.set()
            self.ended = "OK"
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            self.ended = f"{(await call.code()).name}: {await call.details()}"
        self._news.set()

    async def until(self, condition: object) -> Self:
        """Return once a condition holds: a callable that is asked after every response."""
        assert callable(condition)
        try:
            async with asyncio.timeout(_WITHIN_S):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            missing = self.session.missing() or "nothing"
            raise AssertionError(f"waited in vain; missing {missing}, received {self.received[-8:]}") from None
        return self

    async def ready(self) -> Self:
        """Return once it has everything that it needs to serve."""
        return await self.until(lambda: not self.session.missing())

    async def holds(self, *clusters: str) -> Self:
        """Return once it has these clusters, and everything that it needs to serve."""
        entries = self.session.held
        return await self.until(lambda: entries[CLUSTER].entries.keys() >= set(clusters) and not self.session.missing())

    def forget(self) -> None:
        """Begin to count anew."""
        self.received.clear()
        self.bytes = 0


@asynccontextmanager
async def connected(
    client: LiveClient, address: str, *, metadata: Iterable[tuple[str, str]] = ()
) -> AsyncIterator[LiveClient]:
    """Give a client a stream on a connection of its own; leaving cuts it."""
    options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        method = channel.stream_stream(_METHOD + _RPC[client.variant], None, None)
        call: Call = method(None, metadata=tuple(metadata))
        async with beside(client.serve(call)):
            yield client
        call.cancel()
