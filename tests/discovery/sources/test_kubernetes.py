"""A cluster as a source: the contract, what is read of it and what is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from discovery.engine import Database
from discovery.kube.client import KubeClient, connect
from discovery.kube.config import KubeConfig
from discovery.kube.timing import Timing
from discovery.runtime.clock import SystemClock
from discovery.schema.mesh_config import LabelSelector
from discovery.schema.meta import Kind, ObjectKey
from discovery.sources.kubernetes import KubernetesSettings, KubernetesSource
from discovery.sources.kubernetes_kinds import ResourceFilter
from discovery.store.cells import OBJECT
from discovery.store.state import Store
from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_cluster import crds, endpoint_slice, gateway_api_crds, namespace, node, pod, service
from tests.kit.source_contract import Changed, SourceContract, SourceWorld, running, virtual_service

TIMING = Timing(SystemClock())


@pytest.fixture
async def client(kube_api: KubeApi) -> AsyncIterator[KubeClient]:
    """A client with the administrator's kubeconfig."""
    made = await connect(KubeConfig(kubeconfig=str(kube_api.kubeconfig)))
    yield made
    await made.close()


class ClusterWorld:
    """Groups of objects, applied to an API server."""

    def __init__(self, api: KubeApi, client: KubeClient) -> None:
        self._api = api
        self._client = client
        self._groups: dict[str, dict[str, Mapping[str, Any]]] = {}

    def source(self, store: Store) -> KubernetesSource:
        return KubernetesSource(self._client, store.apply, TIMING)

    async def write(self, name: str, *documents: Mapping[str, Any]) -> None:
        before = self._groups.get(name, {})
        self._groups[name] = {document["metadata"]["name"]: document for document in documents}
        await self._api.apply(*documents)
        await self._api.delete(*(before[key] for key in before.keys() - self._groups[name].keys()))

    async def delete(self, name: str) -> None:
        await self._api.delete(*self._groups.pop(name).values())


class TestKubernetes(SourceContract):
    @pytest.fixture
    async def world(self, kube_api: KubeApi, client: KubeClient) -> AsyncIterator[SourceWorld]:
        foreign = gateway_api_crds(Kind.KUBERNETES_GATEWAY)
        await kube_api.apply(*crds("virtualservices", "gateways"), *foreign, namespace("shop"))
        yield ClusterWorld(kube_api, client)
        await kube_api.delete(*(virtual_service(name) for name in ("one", "two", "sentinel")), *foreign)
        await kube_api.until_gone(*foreign)


class Cluster:
    """A source on an API server, its store, and every commit it made."""

    def __init__(
        self,
        api: KubeApi,
        client: KubeClient,
        settings: KubernetesSettings = KubernetesSettings(),  # noqa: B008 - immutable
    ) -> None:
        self.api = api
        self.selectors: tuple[LabelSelector, ...] = ()
        self.changed = Changed(Store(Database()))
        self.source = KubernetesSource(
            client, self.changed.store.apply, TIMING, settings=settings, selectors=lambda: self.selectors
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with running(self.source):
            yield

    def has(self, kind: Kind, place: str, name: str) -> bool:
        return OBJECT(self.changed.store.db, ObjectKey(kind, place, name)) is not None

    def touched(self, kind: Kind) -> list[ObjectKey]:
        """Every object of a kind that a commit changed, once for each."""
        return [
            node.key
            for commit in self.changed.commits
            for node in commit.commit.changed
            if isinstance(node.key, ObjectKey) and node.key.kind is kind and node.cell is OBJECT
        ]

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.changed.until(condition)


@pytest.fixture
def make(kube_api: KubeApi, client: KubeClient) -> Callable[..., Cluster]:
    """Clusters with settings of one's own."""
    return lambda *settings: Cluster(kube_api, client, *settings)


async def test_what_runs_is_read(kube_api: KubeApi, make: Callable[..., Cluster]) -> None:
    """Services, slices, pods, nodes and namespaces: one revision for all there is, then one per change."""
    place = await kube_api.new_namespace()
    pods = [pod("web-1", place, "10.1.0.1", app="web", node_name="n1")]
    await kube_api.apply(node("n1", zone="z", region="r"), service("web", place), *pods)
    await kube_api.set_status(pods[0])
    await kube_api.apply(endpoint_slice("web", place, {"10.1.0.1": "web-1"}))
    cluster = make()
    async with cluster.running():
        assert len(cluster.changed.commits) == 1
        for kind, where, name in (
            (Kind.SERVICE, place, "web"),
            (Kind.ENDPOINT_SLICE, place, "web-1"),
            (Kind.POD, place, "web-1"),
            (Kind.NODE, "", "n1"),
            (Kind.NAMESPACE, "", place),
        ):
            assert cluster.has(kind, where, name)
        stored = cluster.changed.store.objects[ObjectKey(Kind.POD, place, "web-1")]
        assert stored.meta.uid
        assert str(stored.origin) == "cluster Kubernetes"
        await kube_api.apply(endpoint_slice("web", place, {"10.1.0.1": "web-1", "10.1.0.2": "web-2"}))
        slices = ObjectKey(Kind.ENDPOINT_SLICE, place, "web-1")
        await cluster.until(lambda: cluster.touched(Kind.ENDPOINT_SLICE).count(slices) == 2)
        assert cluster.changed.commits[-1].endpoints_only
    await kube_api.delete(node("n1"), *pods)


async def test_a_crd_comes_goes_and_comes_again(kube_api: KubeApi, make: Callable[..., Cluster]) -> None:
    """A kind is read while its CRD exists; the other kinds do not notice."""
    (definition,) = crds("workloadgroups")
    await kube_api.delete(definition)
    await kube_api.until_gone(definition)
    place = await kube_api.new_namespace()
    group = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "WorkloadGroup",
        "metadata": {"name": "vms", "namespace": place},
        "spec": {"template": {"serviceAccount": "vm"}},
    }
    cluster = make()
    async with cluster.running():
        assert cluster.source.informer(Kind.WORKLOAD_GROUP) is None
        for _ in range(2):
            await kube_api.apply(definition)
            await kube_api.apply(group)
            await cluster.until(lambda: cluster.has(Kind.WORKLOAD_GROUP, place, "vms"))
            await kube_api.delete(definition)
            await cluster.until(lambda: not cluster.has(Kind.WORKLOAD_GROUP, place, "vms"))
            await kube_api.until_gone(definition)
            await eventually(lambda: cluster.source.informer(Kind.WORKLOAD_GROUP) is None)
        assert cluster.source.waiting_for == ()
    assert len(cluster.touched(Kind.WORKLOAD_GROUP)) == 4
    assert not [key for key in cluster.touched(Kind.SERVICE) if key.namespace == place]


async def test_kinds_of_a_mesh_that_are_not_read_are_told(kube_api: KubeApi, make: Callable[..., Cluster]) -> None:
    """While their definitions are there: whoever writes one can find out why nothing happens."""
    group = "gateway.networking.x-k8s.io"
    (definition,) = gateway_api_crds(Kind.HTTP_ROUTE)
    names = {"plural": "xroutes", "singular": "xroute", "kind": "XRoute", "listKind": "XRouteList"}
    definition["metadata"]["name"] = f"xroutes.{group}"
    definition["spec"] |= {"group": group, "names": names}
    cluster = make()

    def told() -> bool:
        return any("XRoute can be created" in str(finding) for finding in cluster.source.findings)

    async with cluster.running():
        assert not told()
        await kube_api.apply(definition)
        await eventually(told)
        await kube_api.delete(definition)
        await eventually(lambda: not told())
        assert cluster.source.waiting_for == ()


def gateway_api(kind: str, place: str, spec: dict[str, Any], *, version: str = "v1") -> dict[str, Any]:
    """An object of the Gateway API; without a place it is cluster-scoped."""
    metadata = {"name": "web", "namespace": place} if place else {"name": "web"}
    return {"apiVersion": f"gateway.networking.k8s.io/{version}", "kind": kind, "metadata": metadata, "spec": spec}


async def test_the_gateway_api_is_read_where_it_is_installed(kube_api: KubeApi, make: Callable[..., Cluster]) -> None:
    """It may come later and go again; each kind is told once to have no effect, while there are objects of it."""
    place = await kube_api.new_namespace()
    kinds = (Kind.GATEWAY_CLASS, Kind.KUBERNETES_GATEWAY, Kind.HTTP_ROUTE)
    definitions = gateway_api_crds(*kinds)
    listener = {"name": "http", "port": 80, "protocol": "HTTP"}
    objects = (
        gateway_api("GatewayClass", "", {"controllerName": "istio.io/gateway-controller"}),
        gateway_api("Gateway", place, {"gatewayClassName": "istio", "listeners": [listener]}),
        gateway_api("HTTPRoute", place, {"parentRefs": [{"name": "web"}]}),
    )
    servers = [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["a"]}]
    istio = {**objects[1], "apiVersion": "networking.istio.io/v1", "spec": {"servers": servers}}
    await kube_api.apply(*crds("gateways"), istio)
    cluster = make()

    def there() -> list[bool]:
        return [cluster.has(kind, "" if kind is Kind.GATEWAY_CLASS else place, "web") for kind in kinds]

    async with cluster.running():
        assert cluster.source.informer(Kind.HTTP_ROUTE) is None
        await kube_api.apply(*definitions)
        await kube_api.apply(*objects)
        await cluster.until(lambda: all(there()))
        assert cluster.has(Kind.GATEWAY, place, "web")
        idle = [finding.object for finding in cluster.source.findings if "no effect yet" in finding.problem]
        assert {*kinds} <= {*idle}
        assert len(idle) == len({*idle})
        await kube_api.delete(*definitions)
        await cluster.until(lambda: not any(there()))
        assert cluster.has(Kind.GATEWAY, place, "web")
        assert not any(kind in str(finding) for finding in cluster.source.findings for kind in kinds)
    for definition in definitions:
        await kube_api.until_gone(definition)


async def test_the_gateway_api_may_be_turned_off(kube_api: KubeApi, make: Callable[..., Cluster]) -> None:
    """``PILOT_ENABLE_GATEWAY_API=false``: it is installed, and nobody asks for it."""
    definitions = gateway_api_crds(Kind.HTTP_ROUTE)
    await kube_api.apply(*definitions, *crds("virtualservices"))
    cluster = make(KubernetesSettings(filter=ResourceFilter(gateway_api=False)))
    async with cluster.running():
        assert cluster.source.informer(Kind.VIRTUAL_SERVICE) is not None
        assert cluster.source.informer(Kind.HTTP_ROUTE) is None
    await kube_api.delete(*definitions)
    await kube_api.until_gone(*definitions)


async def test_a_bad_route_keeps_its_last_good_version(kube_api: KubeApi, make: Callable[..., Cluster]) -> None:
    """Definitions that admit anything are somebody else's, so the API server does not help; status is not looked at."""
    definitions = gateway_api_crds(Kind.HTTP_ROUTE)
    place = await kube_api.new_namespace()
    await kube_api.apply(*definitions)
    route = gateway_api("HTTPRoute", place, {"hostnames": ["good"]})
    await kube_api.apply(route)
    cluster = make()

    def hosts() -> tuple[str, ...]:
        found: tuple[str, ...] = cluster.changed.store.objects[ObjectKey(Kind.HTTP_ROUTE, place, "web")].spec.hostnames
        return found

    def told() -> list[str]:
        return [finding.path for finding in cluster.source.findings if finding.object == f"HTTPRoute {place}/web"]

    async with cluster.running():
        assert hosts() == ("good",)
        await kube_api.apply({**route, "spec": {"hostnames": "bad", "rules": [{"backendRefs": [{"port": 80}]}]}})
        await eventually(lambda: told() == ["spec.hostnames", "spec.rules[0].backendRefs[0].name"])
        assert hosts() == ("good",)
        await kube_api.set_status({**route, "status": {"parents": [{"controllerName": "example.org/other"}]}})
        await kube_api.apply({**route, "spec": {"hostnames": ["better"]}})
        await cluster.until(lambda: hosts() == ("better",))
        assert told() == []
    assert len([key for key in cluster.touched(Kind.HTTP_ROUTE) if key.namespace == place]) == 2
    await kube_api.delete(*definitions)
    await kube_api.until_gone(*definitions)


async def test_namespaces_that_are_not_selected_cost_nothing(kube_api: KubeApi, make: Callable[..., Cluster]) -> None:
    """Their objects are not even decoded; a label makes them come and go."""
    inside = await kube_api.new_namespace(labels={"mesh": "on"})
    outside = await kube_api.new_namespace()
    await kube_api.apply(service("in", inside), service("out", outside))
    cluster = make()
    cluster.selectors = (LabelSelector(match_labels={"mesh": "on"}),)
    cluster.source.reselect()
    async with cluster.running():
        assert cluster.has(Kind.SERVICE, inside, "in")
        assert cluster.has(Kind.NAMESPACE, "", inside)
        assert not cluster.has(Kind.SERVICE, outside, "out")
        assert not cluster.has(Kind.NAMESPACE, "", outside)
        services = cluster.source.informer(Kind.SERVICE)
        assert services is not None
        assert services.get(outside, "out") is None
        assert (services.decoded, len(services)) == (1, 1)
        await kube_api.apply(*(service(f"out-{number}", outside) for number in range(20)), service("in-2", inside))
        await cluster.until(lambda: cluster.has(Kind.SERVICE, inside, "in-2"))
        assert (services.decoded, len(services)) == (2, 2)
        assert {key.namespace for key in cluster.touched(Kind.SERVICE)} == {inside}
        await kube_api.apply(namespace(outside, mesh="on"))
        await cluster.until(lambda: cluster.has(Kind.SERVICE, outside, "out"))
        await cluster.until(lambda: cluster.has(Kind.NAMESPACE, "", outside))
        await kube_api.apply(namespace(outside, mesh="off"))
        await cluster.until(lambda: not cluster.has(Kind.SERVICE, outside, "out"))
        cluster.selectors = ()
        cluster.source.reselect()
        await cluster.until(lambda: cluster.has(Kind.SERVICE, outside, "out"))
        cluster.selectors = (LabelSelector(match_labels={"mesh": "on"}),)
        cluster.source.reselect()
        await cluster.until(lambda: not cluster.has(Kind.SERVICE, outside, "out"))
        assert cluster.has(Kind.SERVICE, inside, "in")


async def test_a_revision_reads_its_own_configuration(kube_api: KubeApi, make: Callable[..., Cluster]) -> None:
    """Objects labelled for another one are none of its business, until the label says otherwise."""
    await kube_api.apply(*crds("virtualservices"))
    place = await kube_api.new_namespace()

    def labelled(name: str, revision: str) -> dict[str, Any]:
        document = virtual_service(name, "h")
        document["metadata"] |= {"namespace": place, "labels": {"istio.io/rev": revision} if revision else {}}
        return document

    await kube_api.apply(labelled("mine", "canary"), labelled("other", "stable"), labelled("all", ""))
    cluster = make(KubernetesSettings(revision="canary"))
    async with cluster.running():
        found = {key.name for key in cluster.changed.store.objects if key.namespace == place}
        assert found >= {"mine", "all"}
        assert "other" not in found
        await kube_api.apply(labelled("mine", "stable"), labelled("other", "canary"))
        await cluster.until(lambda: not cluster.has(Kind.VIRTUAL_SERVICE, place, "mine"))
        await cluster.until(lambda: cluster.has(Kind.VIRTUAL_SERVICE, place, "other"))


async def test_kinds_can_be_ignored(kube_api: KubeApi, make: Callable[..., Cluster]) -> None:
    """``PILOT_IGNORE_RESOURCES`` with its exceptions; and a source of what runs only reads no configuration at all."""
    await kube_api.apply(*crds("sidecars", "virtualservices"))
    only = ResourceFilter(("*.istio.io",), ("sidecars.networking.istio.io",))
    cluster, runtime = make(KubernetesSettings(filter=only)), make(KubernetesSettings(configuration=False))
    async with cluster.running(), runtime.running():
        assert cluster.source.informer(Kind.SIDECAR) is not None
        assert cluster.source.informer(Kind.VIRTUAL_SERVICE) is None
        assert runtime.source.informer(Kind.SIDECAR) is None
        assert runtime.source.informer(Kind.SERVICE) is not None


async def test_one_namespace_may_be_all_there_is(kube_api: KubeApi, make: Callable[..., Cluster]) -> None:
    """``ISTIO_WATCH_NAMESPACE``: nothing else is asked for."""
    here, there = await kube_api.new_namespace(), await kube_api.new_namespace()
    await kube_api.apply(service("a", here), service("a", there))
    cluster = make(KubernetesSettings(watch_namespace=here))
    async with cluster.running():
        assert cluster.has(Kind.SERVICE, here, "a")
        assert not cluster.has(Kind.SERVICE, there, "a")


@pytest.mark.kube_double
async def test_a_bad_object_keeps_its_last_good_version(kube_api: KubeApi, make: Callable[..., Cluster]) -> None:
    """Its owner gets a finding with its name; everything else goes on. (The double admits what a CRD would refuse.)"""
    definition = crds("virtualservices")[0]
    for version in definition["spec"]["versions"]:
        version["schema"] = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    await kube_api.apply(definition, namespace("shop"), virtual_service("one", "good"))
    cluster = make()
    async with cluster.running():
        bad = virtual_service("one", "bad")
        bad["spec"] |= {"http": [{"timeout": "soon"}]}
        await kube_api.apply(bad, virtual_service("two", "h"))
        await cluster.until(lambda: cluster.changed.hosts("two") == ("h",))
        assert cluster.changed.hosts("one") == ("good",)
        told = [finding for finding in cluster.source.findings if finding.object == "VirtualService shop/one"]
        assert [finding.path for finding in told if "timeout" in finding.path]
        assert str(told[0].origin) == "cluster Kubernetes"
        await kube_api.apply(virtual_service("one", "better"))
        await cluster.until(lambda: cluster.changed.hosts("one") == ("better",))
        assert not [finding for finding in cluster.source.findings if finding.object == "VirtualService shop/one"]
