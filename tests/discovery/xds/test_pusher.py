"""From commits to pushes: at once or together, and only to those concerned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from discovery.runtime.clock import SystemClock
from discovery.schema.meta import Kind
from discovery.store.state import StoreCommit
from discovery.wire.envoy import DeltaDiscoveryResponse
from discovery.wire.type_urls import CLUSTER, ENDPOINT
from discovery.xds.metrics import XdsMetrics
from discovery.xds.pusher import Pusher
from discovery.xds.request import Request
from tests.discovery.xds.test_connection import Stream
from tests.kit.xds_world import put


class Pushed:
    """A pusher with one stream that has all it needs."""

    def __init__(self) -> None:
        self.stream = Stream()
        self.metrics = XdsMetrics()
        self.pusher = Pusher(self.stream.world, SystemClock(), self.metrics, quiet_s=0.01, max_s=1.0)
        self.pusher.add(self.stream.connection)

    def put(self, type_url: str, value: str, *, scope: str = "shop", endpoints_only: bool = False) -> None:
        commit = put(self.stream.world, scope, type_url, {"a": f"a={value}".encode()})
        kinds = frozenset({Kind.ENDPOINT_SLICE if endpoints_only else Kind.SERVICE})
        self.pusher.on_commit(StoreCommit(commit, kinds, endpoints_only=endpoints_only))

    async def next(self) -> tuple[str, bytes]:
        message: DeltaDiscoveryResponse = await self.stream.next()
        self.stream.say(type_url=message.type_url, response_nonce=message.nonce)
        return message.type_url, message.resources[0].resource.value


@asynccontextmanager
async def pushing() -> AsyncIterator[Pushed]:
    """A client that watches cluster and endpoints ``a``."""
    pushed = Pushed()
    pushed.put(ENDPOINT, "1")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(pushed.pusher.run())
        pushed.stream.connection.receive(Request(type_url=CLUSTER))
        pushed.stream.connection.receive(Request(type_url=ENDPOINT, subscribe=frozenset("a")))
        group.create_task(pushed.stream.connection.serve())
        assert [await pushed.next(), await pushed.next()] == [(CLUSTER, b"a=1"), (ENDPOINT, b"a=1")]
        yield pushed
        task.cancel()
        pushed.stream.fake.hang_up()
        pushed.pusher.close()


async def test_the_first_change_goes_at_once_and_a_burst_together() -> None:
    """Five changes in a row are two pushes, and the last one is the latest."""
    async with pushing() as pushed:
        for value in "2345":
            pushed.put(CLUSTER, value)
            await asyncio.sleep(0)
        assert await pushed.next() == (CLUSTER, b"a=2")
        assert [await pushed.next(), await pushed.next()] == [(ENDPOINT, b"a=1"), (CLUSTER, b"a=5")]
        assert pushed.metrics.updates.count("svc") == 5
        assert pushed.metrics.debounce.count() == 2


async def test_endpoints_never_wait_for_the_end_of_a_burst() -> None:
    """Not even when an earlier change that waits has touched the same ones."""
    async with pushing() as pushed:
        pushed.put(ENDPOINT, "2", endpoints_only=True)
        assert await pushed.next() == (ENDPOINT, b"a=2")
        pushed.pusher._debounced._debounce._quiet_s = 60.0
        pushed.put(CLUSTER, "2")  # goes at once; what follows waits for a minute
        assert [await pushed.next(), await pushed.next()] == [(CLUSTER, b"a=2"), (ENDPOINT, b"a=2")]
        pushed.put(ENDPOINT, "3")
        pushed.put(ENDPOINT, "4", endpoints_only=True)
        assert await pushed.next() == (ENDPOINT, b"a=4")
        assert pushed.metrics.triggers.count("endpoint") == 2


async def test_a_change_elsewhere_pushes_nothing() -> None:
    """Nobody is even woken."""
    async with pushing() as pushed:
        pushed.put(CLUSTER, "2", scope="far")
        assert len(pushed.pusher._queue) == 0
        pushed.pusher.discard(pushed.stream.connection)
        pushed.put(CLUSTER, "2")
        await asyncio.sleep(0)
        assert len(pushed.pusher._queue) == 0
