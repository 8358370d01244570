"""The leader asks the replicas that the API server knows of: real gRPC, each replica at an address of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import grpc.aio

from discovery.kube.client import KubeClient
from discovery.kube.informer import Informer
from discovery.kube.resources import Resource
from discovery.replicas.fleet import Fleet
from discovery.replicas.pods import ReplicaPod, decode_pod, replicas_of
from discovery.schema.meta import Kind, ObjectKey
from discovery.store.delivery import Delivery, RejectedResource
from tests.kit.certs import spiffe
from tests.kit.eventually import eventually
from tests.kit.free_ports import free_port
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_clients import client_of, lasting_fence, running
from tests.kit.replicas import Everybody, ToldDeliveries, answering, replica_pod

KEY = ObjectKey(Kind.SIDECAR, "shop", "a")
BAD = RejectedResource(proxy="web-0.shop", type="Cluster", name="c", version="3", error="no")
PODS: Final = Resource("", "v1", "pods")


class World:
    """A leader called `me`, and its pods at the API server."""

    def __init__(self, api: KubeApi, client: KubeClient, namespace: str) -> None:
        self.api = api
        self.namespace = namespace
        self.port = free_port()
        self.own = ToldDeliveries()
        self.news: list[ObjectKey] = []
        self.rejected: list[tuple[ObjectKey, RejectedResource]] = []

        def pods() -> Informer[ReplicaPod]:
            return Informer(client, PODS, decode_pod, selection=replicas_of(namespace, ""))

        def dial(address: str) -> grpc.aio.Channel:
            return grpc.aio.insecure_channel(f"{address}:{self.port}", options=[("grpc.use_local_subchannel_pool", 1)])

        self.fleet = Fleet(self.own, pods, dial, "me")
        self.fleet.subscribe(self.news.append, lambda key, what: self.rejected.append((key, what)))

    async def pod(self, name: str, address: str, *, ready: bool = True, revision: str = "default") -> None:
        """Make it so."""
        pod = replica_pod(name, self.namespace, address, ready=ready, revision=revision)
        await self.api.apply(pod)
        await self.api.set_status(pod)

    async def end(self, name: str) -> None:
        await self.api.delete(replica_pod(name, self.namespace, ""), grace_s=0)

    def of(self) -> Delivery:
        return self.fleet.of(KEY, 7)

    async def until(self, delivery: Delivery) -> None:
        """Asked again whenever there is news, as conditions are."""
        await eventually(lambda: self.of() == delivery)


@asynccontextmanager
async def leading(api: KubeApi) -> AsyncIterator[World]:
    async with client_of(api) as client:
        world = World(api, client, await api.new_namespace())
        await world.pod("me", "127.0.0.1")
        async with running(lambda: world.fleet.lead(lasting_fence())):
            yield world


async def test_leader_on_its_own_speaks_for_all(kube_api: KubeApi) -> None:
    """Once it knows that it is; before, it does not. It does not ask itself, nor replicas of another revision."""
    async with client_of(kube_api) as client:
        world = World(kube_api, client, await kube_api.new_namespace())
        await world.pod("me", "127.0.0.1")
        await world.pod("canary", "127.0.0.9", revision="canary")
        assert world.of() == Delivery(waiting=1)
        async with running(lambda: world.fleet.lead(lasting_fence())):
            await eventually(lambda: world.news == [KEY])
            assert world.of() == Delivery()
        assert world.of() == Delivery(waiting=1)


async def test_object_has_arrived_when_the_proxies_of_all_replicas_acknowledged(kube_api: KubeApi) -> None:
    """And that is news, so that nobody has to look again and again."""
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(leading(kube_api))
        others = [ToldDeliveries(), ToldDeliveries()]
        for number, deliveries in enumerate(others, 2):
            address = f"127.0.0.{number}"
            deliveries.answers[KEY] = Delivery(waiting=5)
            await stack.enter_async_context(answering(deliveries, address=f"{address}:{world.port}"))
            await world.pod(f"other-{number}", address)
        await eventually(lambda: len(world.fleet.others) == 2)
        await world.until(Delivery(waiting=2))
        await eventually(lambda: all(one.asked for one in others))
        del others[0].answers[KEY]
        await world.until(Delivery(waiting=1))
        world.news.clear()
        del others[1].answers[KEY]
        await eventually(lambda: KEY in world.news)
        assert world.of() == Delivery()


async def test_rejections_of_other_replicas_are_told(kube_api: KubeApi) -> None:
    """At once, and in what is said of the object."""
    deliveries = ToldDeliveries()
    async with leading(kube_api) as world, answering(deliveries, address=f"127.0.0.2:{world.port}"):
        await world.pod("other", "127.0.0.2")
        await world.until(Delivery())
        deliveries.reject(KEY, BAD)
        await eventually(lambda: world.rejected == [(KEY, BAD)])
        await world.until(Delivery(rejected=(BAD,)))


async def test_replica_that_does_not_answer_is_named(kube_api: KubeApi) -> None:
    """While it is ready, proxies may be connected to it. When it answers it is believed, and when it is gone it is not
    waited for."""
    async with leading(kube_api) as world:
        await world.pod("other", "127.0.0.2")
        await eventually(lambda: bool(world.of().unheard))
        [text] = world.of().unheard
        assert text.startswith("other: UNAVAILABLE: ")
        async with answering(ToldDeliveries(), address=f"127.0.0.2:{world.port}"):
            await world.until(Delivery())
        await world.pod("other", "127.0.0.2", ready=False)
        await world.until(Delivery())
        await world.pod("third", "127.0.0.3")
        await eventually(lambda: bool(world.of().unheard))
        await world.end("third")
        await world.until(Delivery())


async def test_replica_that_takes_us_for_a_stranger_is_named(kube_api: KubeApi) -> None:
    """Nothing is guessed about its proxies."""
    stranger = Everybody(spiffe("shop", "reviews"))
    async with leading(kube_api) as world, answering(ToldDeliveries(), stranger, address=f"127.0.0.2:{world.port}"):
        await world.pod("other", "127.0.0.2")
        await world.until(Delivery(unheard=("other: PERMISSION_DENIED: only for replicas of istio-system",)))


async def test_object_that_is_gone_is_forgotten_everywhere(kube_api: KubeApi) -> None:
    """By our own deliveries, and by those who were asked."""
    deliveries = ToldDeliveries()
    deliveries.answers[KEY] = Delivery(waiting=1)
    async with leading(kube_api) as world, answering(deliveries, address=f"127.0.0.2:{world.port}"):
        await world.pod("other", "127.0.0.2")
        await eventually(lambda: bool(world.fleet.others))
        world.of()
        await eventually(lambda: bool(deliveries.asked))
        world.fleet.forget(KEY)
        assert world.own.forgotten == [KEY]
        other = ObjectKey(Kind.SIDECAR, "shop", "b")
        world.fleet.of(other, 1)
        await eventually(lambda: (other, 1) in deliveries.asked)
        count = deliveries.asked.count((KEY, 7))
        deliveries.answers[other] = Delivery(waiting=1)
        world.fleet.of(other, 2)
        await eventually(lambda: (other, 2) in deliveries.asked)
        assert deliveries.asked.count((KEY, 7)) == count
