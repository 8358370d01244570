"""The mesh configuration of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from discovery.kube.client import KubeClient, connect
from discovery.kube.config import KubeConfig
from discovery.kube.timing import Timing
from discovery.runtime.clock import SystemClock
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Origin
from discovery.sources.kubernetes_mesh import KubernetesMeshSource, mesh_config_map, read_mesh
from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import KubeApi

ORIGIN = Origin("ConfigMap istio-system/istio")


@pytest.mark.parametrize(("revision", "name"), [("", "istio"), ("default", "istio"), ("canary", "istio-canary")])
def test_each_revision_has_its_own(revision: str, name: str) -> None:
    """The default one's has no suffix."""
    assert mesh_config_map(revision) == name


def test_the_own_one_is_laid_over_the_shared_one() -> None:
    """Fields replace, the proxies' defaults merge by field and providers by name."""
    shared = """
        connectTimeout: 5s
        trustDomain: shared
        defaultConfig: {drainDuration: 7s, proxyAdminPort: 1}
        extensionProviders: [{name: a, envoyOtelAls: {service: x, port: 1}}, {name: b, prometheus: {}}]
    """
    own = """
        connectTimeout: 6s
        defaultConfig: {proxyAdminPort: 2}
        extensionProviders: [{name: b, envoyOtelAls: {service: y, port: 1}}]
    """
    mesh, findings = read_mesh({"mesh": shared}, {"mesh": own}, origin=ORIGIN)
    assert mesh is not None
    assert findings == ()
    assert (mesh.connect_timeout, mesh.trust_domain) == (timedelta(seconds=6), "shared")
    assert (mesh.default_config.drain_duration, mesh.default_config.proxy_admin_port) == (timedelta(seconds=7), 2)
    providers = {provider.name: provider for provider in mesh.extension_providers}
    assert providers["a"].envoy_otel_als is not None
    assert providers["b"].prometheus is None


def test_no_data_are_the_defaults() -> None:
    """As without a file."""
    assert read_mesh({}, {}, origin=ORIGIN) == (MeshConfig(), ())


@pytest.mark.parametrize("text", ["a: [", "text", "connectTimeout: soon"])
def test_what_cannot_be_used_is_told(text: str) -> None:
    """In either ConfigMap; then nothing is applied."""
    for shared, own in (({}, {"mesh": text}), ({"mesh": text}, {})):
        mesh, findings = read_mesh(shared, own, origin=ORIGIN)
        assert mesh is None
        assert [finding.origin for finding in findings] == [ORIGIN]


def test_networks_are_told_to_have_no_effect() -> None:
    """Nobody should believe that they have."""
    mesh, (finding,) = read_mesh({}, {"meshNetworks": "networks: {n1: {endpoints: []}}"}, origin=ORIGIN)
    assert mesh is not None
    assert finding.path == "meshNetworks"
    assert read_mesh({}, {"meshNetworks": "networks: {}"}, origin=ORIGIN)[1] == ()


@pytest.fixture
async def client(kube_api: KubeApi) -> AsyncIterator[KubeClient]:
    """A client with the administrator's kubeconfig."""
    made = await connect(KubeConfig(kubeconfig=str(kube_api.kubeconfig)))
    yield made
    await made.close()


def config_map(place: str, name: str, text: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": place}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mesh": text}}


async def test_config_maps_are_read_then_followed(kube_api: KubeApi, client: KubeClient) -> None:
    """A broken or deleted one leaves what was last in force, with a finding."""
    place = await kube_api.new_namespace()
    await kube_api.apply(config_map(place, "istio", "trustDomain: one"), config_map(place, "other", "trustDomain: no"))
    meshes: list[MeshConfig] = []
    source = KubernetesMeshSource(
        client, meshes.append, Timing(SystemClock()), namespace=place, name="istio", shared="shared"
    )
    await source.load()
    assert [mesh.trust_domain for mesh in meshes] == ["one"]
    async with source, asyncio.TaskGroup() as group:
        task = group.create_task(source.run())
        await kube_api.apply(config_map(place, "istio", "trustDomain: two"))
        await eventually(lambda: meshes[-1].trust_domain == "two")
        await kube_api.apply(config_map(place, "shared", "connectTimeout: 3s"))
        await eventually(lambda: meshes[-1].connect_timeout == timedelta(seconds=3))
        assert meshes[-1].trust_domain == "two"
        await kube_api.apply(config_map(place, "istio", "trustDomain: ["))
        await eventually(lambda: bool(source.findings))
        await kube_api.apply(config_map(place, "istio", "trustDomain: two"))
        await eventually(lambda: not source.findings)
        await kube_api.delete(config_map(place, "istio", ""))
        await eventually(lambda: "is gone" in str(source.findings))
        assert len(meshes) == 3
        task.cancel()


async def test_without_config_maps_the_defaults_hold(kube_api: KubeApi, client: KubeClient) -> None:
    """Nothing is set; one that comes later counts."""
    place = await kube_api.new_namespace()
    meshes: list[MeshConfig] = []
    source = KubernetesMeshSource(client, meshes.append, Timing(SystemClock()), namespace=place, name="istio")
    await source.load()
    assert (meshes, source.findings) == ([], ())
    async with source, asyncio.TaskGroup() as group:
        task = group.create_task(source.run())
        await kube_api.apply(config_map(place, "istio", "trustDomain: late"))
        await eventually(lambda: [mesh.trust_domain for mesh in meshes] == ["late"])
        task.cancel()
