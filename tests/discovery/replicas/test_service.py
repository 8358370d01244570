"""A replica answers over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest

from discovery.auth.caller import CallerKind
from discovery.replicas.messages import METHOD, SERVICE, Answer, Ask, Question, Rejected, Told, decode_answers, encode
from discovery.schema.meta import Kind, ObjectKey
from discovery.store.delivery import Delivery, RejectedResource
from tests.kit.certs import spiffe
from tests.kit.eventually import eventually
from tests.kit.kube_clients import running
from tests.kit.replicas import MEMBER, Everybody, ToldDeliveries, answering

KEY = ObjectKey(Kind.SIDECAR, "shop", "a")
NAME = ("Sidecar", "shop", "a")
BAD = RejectedResource(proxy="web-0.shop", type="Cluster", name="c", version="3", error="no")


class Leader:
    """The asking end of one stream."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(
            f"/{SERVICE}/{METHOD}", request_serializer=None, response_deserializer=None
        )(None)

    async def ask(self, *questions: Question) -> None:
        await self.call.write(encode(questions))

    async def hear(self) -> tuple[Answer, ...]:
        """The next message."""
        async with asyncio.timeout(10):
            data: object = await self.call.read()
        assert isinstance(data, bytes)
        return decode_answers(data)

    async def refused(self) -> grpc.StatusCode:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.hear()
        return caught.value.code()


@asynccontextmanager
async def asking(port: int) -> AsyncIterator[Leader]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Leader(channel)


async def test_stream_begins_with_an_empty_message_and_tells_when_proxies_acknowledged() -> None:
    """Not before, and without being asked again."""
    deliveries = ToldDeliveries()
    deliveries.answers[KEY] = Delivery(waiting=2)
    async with answering(deliveries) as (_, port), asking(port) as leader:
        assert await leader.hear() == ()
        await leader.ask(Ask(NAME, 7))
        await eventually(lambda: len(deliveries.asked) > 1)  # looked at, and again
        del deliveries.answers[KEY]
        assert await leader.hear() == (Told(NAME, 7, Delivery()),)


async def test_rejections_are_told_whether_or_not_they_were_asked_about() -> None:
    """Conditions that said that all is well must be taken back."""
    deliveries = ToldDeliveries()
    async with answering(deliveries) as (_, port), asking(port) as leader:
        assert await leader.hear() == ()
        deliveries.reject(KEY, BAD)
        assert await leader.hear() == (Rejected(NAME, BAD),)
        await leader.ask(Ask(NAME, 7))
        assert await leader.hear() == (Told(NAME, 7, Delivery(rejected=(BAD,))),)


async def test_two_leaders_are_both_told() -> None:
    """One of them may not know yet that it is one no more."""
    deliveries = ToldDeliveries()
    async with answering(deliveries) as (_, port), asking(port) as one, asking(port) as other:
        for leader in (one, other):
            assert await leader.hear() == ()
        deliveries.reject(KEY, BAD)
        for leader in (one, other):
            assert await leader.hear() == (Rejected(NAME, BAD),)


@pytest.mark.parametrize(
    "authenticator",
    [
        Everybody(spiffe("shop", "reviews")),
        Everybody(spiffe("istio-system", "istio-ingressgateway")),
        Everybody(spiffe("shop", "pilot-discovery")),
        Everybody(MEMBER, CallerKind.TOKEN),
    ],
    ids=["workload", "neighbour", "namesake", "token"],
)
async def test_nobody_but_a_replica_is_told_anything(authenticator: Everybody) -> None:
    """A token of that name is none of ours either: our own authority vouches for replicas."""
    async with answering(ToldDeliveries(), authenticator) as (_, port), asking(port) as caller:
        assert await caller.refused() is grpc.StatusCode.PERMISSION_DENIED


async def test_what_is_no_question_ends_the_stream() -> None:
    """With the reason."""
    async with answering(ToldDeliveries()) as (_, port), asking(port) as caller:
        assert await caller.hear() == ()
        await caller.call.write(b"what?")
        assert await caller.refused() is grpc.StatusCode.INVALID_ARGUMENT


async def test_shutdown_ends_the_streams() -> None:
    """So that the server need not wait for them."""
    async with answering(ToldDeliveries()) as (service, port), asking(port) as leader:
        async with running(service.run):
            assert await leader.hear() == ()
        async with asyncio.timeout(5):
            assert await leader.call.code() is grpc.StatusCode.OK
