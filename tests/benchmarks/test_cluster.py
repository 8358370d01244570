"""The mesh of the benchmarks, written to an API server."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from benchmarks.cluster import Cluster, MeshCluster
from benchmarks.mesh import Mesh
from benchmarks.processes import MeasuringError
from tests.kit.kube_api.handle import KubeApi

_SMALL = Mesh(services=3, endpoints=2, policies=1, elsewhere=1)


def _cluster(api: KubeApi) -> Cluster:
    return Cluster(
        url=api.url, ca_pem=api.ca_pem, token=api.admin_token, kubeconfig=api.kubeconfig, version=api.version
    )


@pytest.mark.kube_double
async def test_all_of_it_is_written_and_edited(kube_api: KubeApi) -> None:
    """As many objects as the directory has, endpoints in their slices; an edit changes its one object."""
    mesh = MeshCluster(_cluster(kube_api), _SMALL)
    await asyncio.to_thread(mesh.write)
    services = await kube_api.list_all("v1", "Service", "bench")
    slices = await kube_api.list_all("discovery.k8s.io/v1", "EndpointSlice", "bench")
    assert (len(services), len(slices)) == (3, 3)
    assert all(len(item["endpoints"]) == 2 for item in slices)
    assert len(await kube_api.list_all("networking.istio.io/v1", "VirtualService", "bench")) == 1
    before = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in slices}
    await asyncio.to_thread(mesh.change_endpoint)
    after = await kube_api.list_all("discovery.k8s.io/v1", "EndpointSlice", "bench")
    changed = [
        name for item in after if before[name := item["metadata"]["name"]] != item["metadata"]["resourceVersion"]
    ]
    assert changed == ["svc-00002-1"]


@pytest.mark.kube_double
async def test_a_refusal_says_what_and_why(kube_api: KubeApi) -> None:
    """A server that does not know the caller ends the measurement with its own words."""
    stranger = MeshCluster(msgspec.structs.replace(_cluster(kube_api), token="nobody"), _SMALL)
    with pytest.raises(MeasuringError, match="401"):
        await asyncio.to_thread(stranger.write)
