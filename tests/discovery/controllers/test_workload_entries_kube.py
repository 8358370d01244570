"""Entries at an API server: written whole, status apart, never over what somebody else wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from discovery.controllers.workload_entries import Document, Rules, entry_key
from discovery.controllers.workload_entries_keeper import WorkloadEntryKeeper
from discovery.controllers.workload_entries_kube import ClusterEntries
from discovery.controllers.workload_entries_writer import ChangedError, InvalidEntryError, UnavailableError
from discovery.engine import Database
from discovery.kube.client import KubeClient, connect
from discovery.kube.config import KubeConfig
from discovery.kube.timing import Timing
from discovery.registry.from_workload_entry import is_healthy
from discovery.registry.registrant import Registrant
from discovery.runtime.clock import SystemClock
from discovery.schema.meta import Kind, ObjectKey
from discovery.sources.kubernetes import KubernetesSource
from discovery.store.state import Store
from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_cluster import crds
from tests.kit.source_contract import running
from tests.kit.workload_entries import GROUP_SPEC, registrant

pytestmark = pytest.mark.kube


@pytest.fixture
async def client(kube_api: KubeApi) -> AsyncIterator[KubeClient]:
    """A client with the administrator's kubeconfig."""
    await kube_api.apply(*crds("workloadentries", "workloadgroups"))
    made = await connect(KubeConfig(kubeconfig=str(kube_api.kubeconfig)))
    yield made
    await made.close()


@pytest.fixture
async def namespace(kube_api: KubeApi, client: KubeClient) -> str:
    """A namespace of this test's own."""
    assert client.server
    return await kube_api.new_namespace()


def document(namespace: str, **spec: Any) -> Document:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "WorkloadEntry",
        "metadata": {"name": "vm-1", "namespace": namespace},
        "spec": {"address": "10.0.0.7", **spec},
    }


def healthy(entry: Document) -> Document:
    return {**entry, "status": {"conditions": [{"type": "Healthy", "status": "True"}]}}


async def test_what_is_written_is_read_and_what_is_deleted_is_gone(client: KubeClient, namespace: str) -> None:
    """The status is written by its own request, and not by the others."""
    entries, key = ClusterEntries(client), ObjectKey(Kind.WORKLOAD_ENTRY, namespace, "vm-1")
    assert await entries.read(key) is None
    made = await entries.create(healthy(document(namespace)))
    assert "status" not in made
    told = await entries.replace_status(healthy(made))
    changed = await entries.replace({**told, "spec": {"address": "10.0.0.8"}, "status": {}})
    read = await entries.read(key)
    assert read == changed
    assert read["spec"] == {"address": "10.0.0.8"}
    assert read["status"]["conditions"][0]["status"] == "True"
    await entries.delete(read)
    await entries.delete(read)
    assert await entries.read(key) is None


async def test_nothing_is_written_over_what_somebody_else_wrote(client: KubeClient, namespace: str) -> None:
    """Of two replicas one is first; the other looks again."""
    entries = ClusterEntries(client)
    first = await entries.create(document(namespace))
    with pytest.raises(ChangedError):
        await entries.create(document(namespace))
    second = await entries.replace({**first, "spec": {"address": "10.0.0.8"}})
    for late in (entries.replace, entries.replace_status, entries.delete):
        with pytest.raises(ChangedError):
            await late(healthy({**first, "spec": {"address": "10.0.0.9"}}))
    await entries.delete(second)
    with pytest.raises(ChangedError):
        await entries.replace(second)


async def test_what_the_api_server_refuses_is_not_asked_again_soon(client: KubeClient, namespace: str) -> None:
    """It will not change its mind."""
    entries = ClusterEntries(client)
    with pytest.raises(InvalidEntryError, match="weight"):
        await entries.create(document(namespace, weight="heavy"))


@pytest.mark.kube_double
async def test_an_api_server_that_is_away_is_asked_again(kube_api: KubeApi, client: KubeClient, namespace: str) -> None:
    """As long as it says, if it says so."""
    entries, key = ClusterEntries(client), ObjectKey(Kind.WORKLOAD_ENTRY, namespace, "vm-1")
    kube_api.faults.throttle(retry_after_s=7)
    with pytest.raises(UnavailableError) as told:
        await entries.read(key)
    assert told.value.retry_after_s == 7


class Replica:
    """A replica of the control plane, as far as machines are concerned."""

    def __init__(self, name: str, client: KubeClient) -> None:
        self.store = Store(Database())
        self.source = KubernetesSource(client, self.store.apply, Timing(SystemClock()))
        self.keeper = WorkloadEntryKeeper(
            ClusterEntries(client), self.store.objects, rules=Rules(controller=name), clock=SystemClock()
        )
        self.store.subscribe(self.keeper.on_commit)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with running(self.source), self.keeper, asyncio.TaskGroup() as group:
            await self.source.synced.wait()
            task = group.create_task(self.keeper.run())
            yield
            task.cancel()


async def test_two_replicas_and_a_machine_that_changes_between_them(
    kube_api: KubeApi, client: KubeClient, namespace: str
) -> None:
    """What one writes the other sees; the entry outlives the change, and the health that was told."""
    await kube_api.apply(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "WorkloadGroup",
            "metadata": {"name": "vm", "namespace": namespace},
            "spec": dict(GROUP_SPEC),
        }
    )
    one, other = Replica("istiod-a", client), Replica("istiod-b", client)

    def machine() -> Registrant:
        return registrant(
            namespace=namespace, identity_namespace=namespace, connected_at=SystemClock().now(), probed=True
        )

    first = machine()
    key = entry_key(first)

    def seen(replica: Replica, controller: str, *, well: bool) -> bool:
        obj = replica.store.objects.get(key)
        if obj is None or "istio.io/disconnectedAt" in obj.meta.annotations:
            return False
        return obj.meta.annotations["istio.io/workloadController"] == controller and is_healthy(obj) is well

    async with one.running(), other.running():
        await one.keeper.connect(first)
        await eventually(lambda: seen(other, "istiod-a", well=False))
        assert other.store.objects[key].meta.owner_references[0].name == "vm"
        one.keeper.report_health(first, None)
        await eventually(lambda: seen(other, "istiod-a", well=True))
        one.keeper.disconnect(first)
        second = machine()
        await other.keeper.connect(second)
        await eventually(lambda: seen(one, "istiod-b", well=True))
        other.keeper.report_health(second, "ill")
        await eventually(lambda: seen(one, "istiod-b", well=False))


async def test_an_entry_without_labels_settles(kube_api: KubeApi, client: KubeClient, namespace: str) -> None:
    """What the API server makes of it is what was wanted, so that health is told and nothing is written twice."""
    group = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "WorkloadGroup",
        "metadata": {"name": "vm", "namespace": namespace},
        "spec": {"template": {"serviceAccount": "vm"}},
    }
    await kube_api.apply(group)
    replica, clock = Replica("istiod-a", client), SystemClock()
    machine = registrant(
        namespace=namespace, identity_namespace=namespace, connected_at=clock.now(), probed=True, labels=()
    )
    key = entry_key(machine)
    async with replica.running():
        await eventually(lambda: ObjectKey(Kind.WORKLOAD_GROUP, namespace, "vm") in replica.store.objects)
        await replica.keeper.connect(machine)
        replica.keeper.report_health(machine, None)
        await eventually(lambda: key in replica.store.objects and is_healthy(replica.store.objects[key]))
        read = await ClusterEntries(client).read(key)
    assert read is not None
    assert read["metadata"]["generation"] == 1
