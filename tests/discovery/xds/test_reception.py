"""Letting streams in: each refusal has its status, and a place that is not needed is given back."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from certs.spiffe import Spiffe
from discovery.auth.caller import Caller, CallerKind, Credentials, Listener
from discovery.auth.errors import UnauthenticatedError, UndecidedError
from discovery.runtime.readiness import Readiness
from discovery.wire.envoy import DeltaDiscoveryRequest, Node, serialize
from discovery.wire.type_urls import CLUSTER, HEALTH_INFORMATION
from discovery.xds.connection import StreamEndedError
from discovery.xds.delta import Delta
from discovery.xds.reception import Admitted, Reception
from discovery.xds.request import Request
from tests.kit.eventually import eventually
from tests.kit.xds_context import FakeContext
from tests.kit.xds_live import node_of


class Knows:
    """Takes everybody for one service account."""

    def __init__(self, namespace: str = "shop") -> None:
        self._caller = Caller(
            kind=CallerKind.TOKEN,
            identities=(Spiffe(trust_domain="cluster.local", namespace=namespace, service_account="web"),),
        )

    async def authenticate(self, credentials: Credentials) -> Caller:
        if not credentials.only("authorization"):
            raise UnauthenticatedError("no token")
        if credentials.only("authorization") == "unknown":
            raise UndecidedError("nobody to ask")
        return self._caller


def first(type_url: str = CLUSTER, **metadata: str) -> bytes:
    return serialize(DeltaDiscoveryRequest(type_url=type_url, node=node_of(**metadata)))


async def admit(reception: Reception, *requests: bytes, via: Listener = Listener.FRONT, token: str = "t") -> Admitted:
    fake = FakeContext((("authorization", token),) if token else ())
    for raw in requests:
        fake.requests.put_nowait(raw)
    fake.hang_up()
    async with asyncio.timeout(5):
        return await reception.admit(via, Delta(), fake.context)


async def refused(reception: Reception, *requests: bytes, token: str = "t") -> grpc.StatusCode:
    with pytest.raises(StreamEndedError) as ended:
        await admit(reception, *requests, token=token)
    return ended.value.code


async def test_a_caller_that_is_the_node_is_let_in() -> None:
    """With the identity that was verified, and a place until it has settled."""
    reception = Reception(Readiness(), Knows(), places=1)
    admitted = await admit(reception, first(SERVICE_ACCOUNT="web"))
    assert admitted.identity == "spiffe://cluster.local/ns/shop/sa/web"
    assert (admitted.request.type_url, admitted.node.namespace) == (CLUSTER, "shop")
    admitted.place.leave()
    admitted.place.leave()
    assert (await admit(reception, first())).identity


async def test_refusals_have_their_status_and_give_their_place_back() -> None:
    """One place is enough for all of them, one after another."""
    reception = Reception(Readiness(), Knows(), places=1)
    assert await refused(reception, first(), token="") is grpc.StatusCode.UNAUTHENTICATED
    assert await refused(reception, first(), token="unknown") is grpc.StatusCode.UNAVAILABLE
    assert await refused(reception, first(SERVICE_ACCOUNT="other")) is grpc.StatusCode.PERMISSION_DENIED
    assert await refused(reception, first(NAMESPACE="other")) is grpc.StatusCode.PERMISSION_DENIED
    assert await refused(reception, b"\xff\xff") is grpc.StatusCode.INVALID_ARGUMENT
    assert await refused(reception, serialize(DeltaDiscoveryRequest())) is grpc.StatusCode.INVALID_ARGUMENT
    assert await refused(reception) is grpc.StatusCode.CANCELLED
    assert (await admit(reception, first())).identity


async def test_plaintext_is_nobody() -> None:
    """It is served, without an identity; a token proves nothing there."""
    reception = Reception(Readiness(), Knows("elsewhere"), places=1)
    assert (await admit(reception, first(), via=Listener.PLAINTEXT)).identity == ""
    assert (await admit(Reception(Readiness(), None, places=1), first(), token="")).identity == ""


async def test_a_report_of_health_does_not_open_a_stream() -> None:
    """It is dropped, and the next request looked at."""
    reception = Reception(Readiness(), Knows(), places=1)
    assert (await admit(reception, first(HEALTH_INFORMATION), first())).request.type_url == CLUSTER


async def test_nobody_is_let_in_before_we_are_ready() -> None:
    """The status says to try again."""
    readiness = Readiness()
    readiness.block("sources")
    assert await refused(Reception(readiness, None, places=1), first()) is grpc.StatusCode.UNAVAILABLE


async def test_a_caller_that_is_being_looked_into_takes_no_place() -> None:
    """One that takes long to authenticate keeps nobody else waiting."""
    asked = asyncio.Event()

    class Slow(Knows):
        async def authenticate(self, credentials: Credentials) -> Caller:
            if credentials.only("authorization") == "slow":
                asked.set()
                await asyncio.Event().wait()
            return await super().authenticate(credentials)

    reception = Reception(Readiness(), Slow(), places=1)
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(admit(reception, first(), token="slow"))
        await asked.wait()
        assert (await admit(reception, first())).identity
        slow.cancel()


async def test_what_waits_for_a_place_is_the_request_as_understood() -> None:
    """Not its bytes: sidecars that come back at once and hold the same share what they report."""
    read: list[Request] = []

    class Seen(Delta):
        def parse(self, raw: bytes) -> tuple[Request, Node]:
            request, node = super().parse(raw)
            read.append(request)
            return request, node

    reception, variant = Reception(Readiness(), None, places=1), Seen()
    versions = {"a": "1", "b": "2"}
    raw = serialize(DeltaDiscoveryRequest(type_url=CLUSTER, node=node_of(), initial_resource_versions=versions))
    async with asyncio.TaskGroup() as group:
        tasks = []
        for _ in range(3):
            fake = FakeContext(())
            fake.requests.put_nowait(raw)
            tasks.append(group.create_task(reception.admit(Listener.FRONT, variant, fake.context)))
        first_in = await tasks[0]
        await eventually(lambda: len(read) == 3)
        assert not tasks[1].done()
        assert all(request.known is read[0].known is not None for request in read)
        first_in.place.leave()
        (await tasks[1]).place.leave()
        (await tasks[2]).place.leave()
