"""Conditions and Events of configuration objects at an API server; deliveries are what each test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from discovery.controllers.status import StatusWriter
from discovery.controllers.status_plan import Observation
from discovery.kube.client import KubeClient
from discovery.kube.events import EventRecorder
from discovery.kube.resources import Resource
from discovery.schema.conditions import read_state
from discovery.schema.findings import Finding
from discovery.schema.meta import Kind, ObjectKey
from discovery.store.delivery import Delivery, RejectedResource
from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_clients import as_user, client_of, lasting_fence, running
from tests.kit.kube_cluster import crds, gateway_api_crds

GROUP = "networking.istio.io/v1"
RESOURCE = Resource("networking.istio.io", "v1", "sidecars")
WRONG = Finding("Sidecar shop/a", "spec.host", "want a host", "name one")


class Deliveries:
    def __init__(self) -> None:
        self.answer = Delivery()
        self.asked = 0
        self.forgotten: list[ObjectKey] = []
        self.key: ObjectKey | None = None  # whose result was rejected before

    def of(self, key: ObjectKey, mark: int) -> Delivery:
        self.asked += 1
        return self.answer

    def forget(self, key: ObjectKey) -> None:
        self.forgotten.append(key)

    def rejected(self) -> list[tuple[ObjectKey, RejectedResource]]:
        return [(self.key, what) for what in self.answer.rejected] if self.key is not None else []


class World:
    """A writer, and an object that it is told of whenever the test looks at it."""

    def __init__(self, api: KubeApi, client: KubeClient, namespace: str) -> None:
        self.api = api
        self.namespace = namespace
        self.key = ObjectKey(Kind.SIDECAR, namespace, "a")
        self.deliveries = Deliveries()
        self.applied = True
        recorder = EventRecorder(component="istiod", instance="i")
        self.writer = StatusWriter(
            client, self.deliveries, lambda key, generation: self.applied, recorder, settle_s=0.05
        )

    async def put(self, host: str = "./*", *, name: str = "a") -> None:
        spec = {"egress": [{"hosts": [host]}]}
        metadata = {"name": name, "namespace": self.namespace}
        await self.api.apply({"apiVersion": GROUP, "kind": "Sidecar", "metadata": metadata, "spec": spec})

    async def tell(self, *findings: Finding, name: str = "a") -> None:
        """What the source does when the object changed."""
        path = f"/apis/{GROUP}/namespaces/{self.namespace}/sidecars/{name}"
        state = read_state((await self.api.call("GET", path)).body)
        key = ObjectKey(Kind.SIDECAR, self.namespace, name)
        self.writer.observed(key, RESOURCE, Observation(state=state, findings=findings))

    async def another(self) -> None:
        """One more object, whose turn comes after those that are waiting."""
        await self.put(name="z")
        await self.tell(name="z")

        async def told() -> bool:
            return bool(await self.conditions("z"))

        await eventually(told)

    async def conditions(self, name: str = "a") -> dict[str, dict[str, Any]]:
        found = await self.api.get(GROUP, "Sidecar", name, self.namespace)
        assert found is not None
        return {c["type"]: c for c in found.get("status", {}).get("conditions", [])}

    async def until(self, kind: str, status: str, reason: str) -> None:
        async def holds() -> bool:
            condition = (await self.conditions()).get(kind, {})
            return (condition.get("status"), condition.get("reason")) == (status, reason)

        await eventually(holds)

    async def events(self) -> list[str]:
        found = await self.api.list_all("events.k8s.io/v1", "Event", self.namespace)
        return sorted(f"{event['reason']}: {event['note']}" for event in found)


@asynccontextmanager
async def leading(api: KubeApi, client: KubeClient) -> AsyncIterator[World]:
    await api.apply(*crds("sidecars"))
    world = World(api, client, await api.new_namespace())
    await world.put()
    await world.tell()
    async with running(lambda: world.writer.lead(lasting_fence())):
        yield world


async def test_good_object_is_accepted_and_reconciled(kube_api: KubeApi) -> None:
    """With the generation that this is about."""
    async with client_of(kube_api) as client, leading(kube_api, client) as world:
        await world.until("Reconciled", "True", "Acknowledged")
        conditions = await world.conditions()
        assert conditions["Accepted"]["status"] == "True"
        assert int(conditions["Accepted"]["observedGeneration"]) == 1


async def test_object_is_pending_until_proxies_acknowledged(kube_api: KubeApi) -> None:
    """It is looked at again without anybody saying so."""
    async with client_of(kube_api) as client, leading(kube_api, client) as world:
        world.deliveries.answer = Delivery(waiting=2)
        await world.until("Reconciled", "False", "Pending")
        await world.tell()
        world.deliveries.answer = Delivery()
        await world.until("Reconciled", "True", "Acknowledged")


async def test_change_that_is_not_in_the_store_yet_is_pending(kube_api: KubeApi) -> None:
    """What deliveries say then is about the version before."""
    async with client_of(kube_api) as client, leading(kube_api, client) as world:
        world.applied = False
        await world.until("Reconciled", "False", "Pending")
        assert world.deliveries.asked == 0
        await world.tell()
        world.applied = True
        await world.until("Reconciled", "True", "Acknowledged")


async def test_refused_object_says_so_in_status_and_event(kube_api: KubeApi) -> None:
    """And says it is good once it is."""
    async with client_of(kube_api) as client, leading(kube_api, client) as world:
        await world.tell(WRONG)
        await world.until("Accepted", "False", "Invalid")

        async def told() -> bool:
            return await world.events() == ["InvalidConfiguration: spec.host: want a host (name one)"]

        await eventually(told)
        await world.put("shop/*")
        await world.tell()
        await world.until("Accepted", "True", "Accepted")
        assert await told()


async def test_rejection_by_a_proxy_names_it(kube_api: KubeApi) -> None:
    """In status and Event, also when everybody had acknowledged the object before."""
    async with client_of(kube_api) as client, leading(kube_api, client) as world:
        await world.until("Reconciled", "True", "Acknowledged")
        await world.tell()
        nack = RejectedResource(proxy="web.shop", type="CDS", name="outbound|80||b", version="v", error="no such thing")
        world.deliveries.answer = Delivery(rejected=(nack,))
        world.writer.rejected(world.key, nack)
        await world.until("Reconciled", "False", "Rejected")

        async def told() -> bool:
            return await world.events() == ["RejectedByProxy: web.shop rejected CDS outbound|80||b: no such thing"]

        await eventually(told)
        await world.tell()
        world.deliveries.answer = Delivery()
        world.writer.rejected(world.key, nack)
        await world.until("Reconciled", "True", "Acknowledged")


async def test_rejection_that_happened_while_nobody_led_is_told(kube_api: KubeApi) -> None:
    """The status said that all is well."""
    async with client_of(kube_api) as client:
        async with leading(kube_api, client) as world:
            await world.until("Reconciled", "True", "Acknowledged")
            await world.tell()
        nack = RejectedResource(proxy="web.shop", type="CDS", name="outbound|80||b", version="v", error="no such thing")
        world.deliveries.key, world.deliveries.answer = world.key, Delivery(rejected=(nack,))
        async with running(lambda: world.writer.lead(lasting_fence())):
            await world.until("Reconciled", "False", "Rejected")


async def test_news_of_a_delivery_is_looked_at_at_once(kube_api: KubeApi) -> None:
    """What is not known, or while nobody leads, is nobody's business."""
    async with client_of(kube_api) as client, leading(kube_api, client) as world:
        world.deliveries.answer = Delivery(unheard=("b: away",))
        await world.until("Reconciled", "Unknown", "ReplicaUnheard")
        await world.tell()
        world.deliveries.answer = Delivery()
        world.writer.look(ObjectKey(Kind.SIDECAR, world.namespace, "unknown"))
        world.writer.look(world.key)
        await world.until("Reconciled", "True", "Acknowledged")
    world.writer.look(world.key)


@pytest.mark.kube_double
async def test_status_write_leads_to_no_other(kube_api: KubeApi, tmp_path: Path) -> None:
    """It comes back as an observation, and everything is as it should be."""
    async with as_user(kube_api, tmp_path, "pilot") as client, leading(kube_api, client) as world:
        await world.until("Reconciled", "True", "Acknowledged")
        for _ in range(3):
            await world.tell()
        await world.another()
        found = await kube_api.get(GROUP, "Sidecar", "a", world.namespace)
        assert found is not None
        assert found["metadata"]["generation"] == 1
    writes = [(r.verb, r.resource, r.name) for r in kube_api.requests if r.user == "pilot"]
    assert writes == [("patch", "sidecars/status", "a"), ("patch", "sidecars/status", "z")]


async def test_stale_observation_overwrites_nothing(kube_api: KubeApi) -> None:
    """Somebody else wrote a condition meanwhile: ours waits for the object as it is now."""
    async with client_of(kube_api) as client, leading(kube_api, client) as world:
        await world.until("Reconciled", "True", "Acknowledged")
        await world.tell()
        foreign = {"type": "Foreign", "status": "True"}
        mine = list((await world.conditions()).values())
        metadata = {"name": "a", "namespace": world.namespace}
        body = {"apiVersion": GROUP, "kind": "Sidecar", "metadata": metadata}
        await kube_api.set_status({**body, "status": {"conditions": [*mine, foreign]}})
        world.deliveries.answer = Delivery(waiting=1)
        asked = world.deliveries.asked
        world.writer.rejected(world.key, RejectedResource(proxy="p", type="CDS", name="n", version="v", error="e"))
        await eventually(lambda: world.deliveries.asked >= asked + 2)  # looked at again: the first attempt is over
        assert "Foreign" in await world.conditions()
        await world.tell()
        await world.until("Reconciled", "False", "Pending")
        assert "Foreign" in await world.conditions()


async def test_object_that_is_gone_is_forgotten(kube_api: KubeApi) -> None:
    """Nobody is asked about it any more."""
    async with client_of(kube_api) as client, leading(kube_api, client) as world:
        world.writer.observed(world.key, RESOURCE, None)
        await world.another()
        assert await world.conditions() == {}
        assert world.deliveries.forgotten == [world.key]


async def test_status_of_the_gateway_api_belongs_to_its_controllers(kube_api: KubeApi) -> None:
    """No condition of ours is written there; what cannot be read has an Event, under the kind as manifests write it."""
    definitions = gateway_api_crds(Kind.KUBERNETES_GATEWAY)
    async with client_of(kube_api) as client, leading(kube_api, client) as world:
        gateway = {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "a", "namespace": world.namespace},
            "spec": {},
        }
        await kube_api.apply(*definitions)
        await kube_api.apply(gateway)
        resource = Resource("gateway.networking.k8s.io", "v1", "gateways")
        state = read_state((await kube_api.call("GET", resource.object(world.namespace, "a"))).body)
        key = ObjectKey(Kind.KUBERNETES_GATEWAY, world.namespace, "a")
        finding = Finding(str(key), "spec.gatewayClassName", "want a value, got none")
        world.writer.observed(key, resource, Observation(state=state, findings=(finding,), served=False))

        async def about() -> list[str]:
            found = await kube_api.list_all("events.k8s.io/v1", "Event", world.namespace)
            return [event["regarding"]["kind"] for event in found if event["regarding"]["name"] == "a"]

        async def told() -> bool:
            return await about() == ["Gateway"]

        await eventually(told)
        await world.another()
        found = await kube_api.get("gateway.networking.k8s.io/v1", "Gateway", "a", world.namespace)
        assert found is not None
        assert "status" not in found
    await kube_api.delete(*definitions)
    await kube_api.until_gone(*definitions)
