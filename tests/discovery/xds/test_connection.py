"""One stream's shell: reading goes on while a write is stuck, and one response is all that a slow client holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from discovery.runtime.clock import SystemClock
from discovery.wire.envoy import DeltaDiscoveryRequest, DeltaDiscoveryResponse, serialize
from discovery.wire.type_urls import CLUSTER, LISTENER
from discovery.xds.admission import ByteBudget
from discovery.xds.connection import Connection, StreamEndedError, Wiring
from discovery.xds.delta import Delta
from discovery.xds.metrics import XdsMetrics
from discovery.xds.node_key import read_node
from discovery.xds.reports import Report
from discovery.xds.request import Request
from discovery.xds.session import Session
from discovery.xds.world import Fact, World
from tests.kit.eventually import eventually
from tests.kit.xds_context import FakeContext
from tests.kit.xds_live import node_of
from tests.kit.xds_world import proxy_key, put, refresh, small_world


class Stream:
    """A connection over a fake context."""

    def __init__(self) -> None:
        self.world: World = small_world()
        put(self.world, "shop", CLUSTER, {"a": b"a=1"})
        put(self.world, "shop", LISTENER, {"80": b"80=1"})
        self.fake = FakeContext()
        self.metrics = XdsMetrics()
        self.facts: list[Fact] = []
        self.settled: list[bool] = []
        self.session = Session(self.world, proxy_key(), Delta(), number=7)
        wiring = Wiring(
            clock=SystemClock(),
            metrics=self.metrics,
            budget=ByteBudget(),
            report=lambda _, facts: self.facts.extend(facts),
            settled=lambda: self.settled.append(True),
        )
        self.connection = Connection(self.session, read_node(node_of()), self.fake.context, wiring, address="here")

    async def next(self) -> DeltaDiscoveryResponse:
        async with asyncio.timeout(5):
            return DeltaDiscoveryResponse.FromString(await self.fake.written.get())

    def say(self, **fields: object) -> None:
        self.fake.requests.put_nowait(serialize(DeltaDiscoveryRequest(**fields)))

    def change(self, value: str) -> None:
        refresh(self.world, put(self.world, "shop", CLUSTER, {"a": f"a={value}".encode()}))
        self.connection.pump()


@asynccontextmanager
async def serving() -> AsyncIterator[Stream]:
    """A stream that is served until the block ends."""
    stream = Stream()
    async with asyncio.TaskGroup() as group:
        stream.connection.receive(Request(type_url=CLUSTER))
        group.create_task(stream.connection.serve())
        yield stream
        stream.fake.hang_up()


async def test_requests_are_answered_and_changes_pushed() -> None:
    """The set-up is over with the first ACK."""
    async with serving() as stream:
        first = await stream.next()
        assert stream.settled == []
        stream.say(type_url=CLUSTER, response_nonce=first.nonce)
        stream.say(type_url=LISTENER)
        assert (await stream.next()).type_url == LISTENER
        assert stream.settled == [True]
        stream.change("2")
        assert (await stream.next()).resources[0].resource.value == b"a=2"
    assert stream.connection.id == "web-0.shop-7"
    assert stream.metrics.pushes.count("cds") == 2
    assert stream.metrics.size.count(CLUSTER) == 2


async def test_a_slow_client_holds_one_response_and_then_gets_the_latest() -> None:
    """Nothing queues up for it, and its requests are read all the while."""
    async with serving() as stream:
        first = await stream.next()
        stream.fake.open.clear()
        stream.say(type_url=CLUSTER, response_nonce=first.nonce)
        stream.say(type_url=LISTENER)
        await eventually(lambda: stream.connection.writing_since is not None)
        for value in "2345":
            stream.change(value)
        stream.say(type_url="a.B")
        await eventually(lambda: bool(stream.facts))
        assert stream.fake.written.empty()
        stream.fake.open.set()
        assert (await stream.next()).type_url == LISTENER
        assert (await stream.next()).resources[0].resource.value == b"a=5"


async def test_a_client_that_comes_back_with_all_it_needs_is_settled_at_once() -> None:
    """It has nothing to acknowledge, and others wait for its place."""
    stream = Stream()
    session = Session(stream.world, proxy_key(), Delta(), number=1)
    session.receive(Request(type_url=CLUSTER), 0.0)
    version = session.watches[CLUSTER].tables[0].resources["a"].version
    async with asyncio.TaskGroup() as group:
        stream.connection.receive(Request(type_url=CLUSTER, known=Report({"a": version})))
        group.create_task(stream.connection.serve())
        await eventually(lambda: bool(stream.settled))
        assert stream.fake.written.empty()
        stream.fake.hang_up()


async def test_a_stream_can_be_ended_with_a_status() -> None:
    """Also while a write is stuck."""
    stream = Stream()
    stream.fake.open.clear()
    stream.connection.receive(Request(type_url=CLUSTER))
    asyncio.get_running_loop().call_soon(lambda: stream.connection.end(grpc.StatusCode.UNAVAILABLE, "go"))
    with pytest.raises(StreamEndedError, match="UNAVAILABLE: go"):
        await stream.connection.serve()


async def test_nonsense_ends_the_stream() -> None:
    """With a status that says whose fault it is."""
    stream = Stream()
    stream.connection.receive(Request(type_url=CLUSTER))
    stream.fake.requests.put_nowait(b"\xff\xff")
    with pytest.raises(StreamEndedError) as ended:
        await stream.connection.serve()
    assert ended.value.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_cancelled_stream_is_cancelled() -> None:
    """Cancellation from outside is not swallowed."""
    stream = Stream()
    stream.connection.receive(Request(type_url=CLUSTER))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(stream.connection.serve())
        await stream.next()
        task.cancel()
    assert task.cancelled()
