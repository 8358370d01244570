"""Fixtures of the tests of the mesh in a cluster: installed once for all of them, with a namespace for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Final

import helm_python as helm
import pytest

from tests.kit.helm import chart_path
from tests.kube.cluster import Cluster
from tests.kube.launcher import wait_until
from tests.kube.mesh import CALLER, ECHO, SYSTEM, injects

_VALUES: Final = {"autoscaleEnabled": False}


@pytest.fixture(scope="session")
def mesh(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with the base and discovery charts installed and the control plane ready."""
    kubeconfig = cluster.plane.address.kubeconfig
    with helm.Config(kubeconfig_path=kubeconfig, namespace=SYSTEM) as releases:
        releases.install(chart_path("base"), "istio-base", {}, namespace=SYSTEM, create_namespace=True)
        releases.install(chart_path("discovery"), "istiod", _VALUES, namespace=SYSTEM)
        try:
            wait_until(lambda: injects(cluster), cluster.kubelet, what=lambda: cluster.story(SYSTEM))
            yield cluster
        finally:
            releases.uninstall("istiod")
            releases.uninstall("istio-base")


@pytest.fixture
async def site(mesh: Cluster) -> AsyncIterator[Cluster]:
    """The mesh, opened for this test."""
    async with mesh.opened() as opened:
        yield opened


@pytest.fixture
async def shop(site: Cluster) -> AsyncIterator[str]:
    """A namespace of the mesh with two ready instances of the service `echo`; it goes with the test."""
    namespace = await site.api.new_namespace("shop-", {"istio-injection": "enabled"})
    site.kubectl("apply", "-n", namespace, "-f", "-", stdin=ECHO + "---" + CALLER)
    await site.ready(namespace, "echo", 2, within_s=90)
    yield namespace
    site.kubectl("delete", "namespace", namespace, "--wait=false")
