"""`helm test` in a whole cluster: its pod runs and asks the control plane through its Service."""

from __future__ import annotations

import asyncio

import helm_python as helm
import pytest

from tests.kit.eventually import eventually
from tests.kube.cluster import Cluster
from tests.kube.mesh import SYSTEM

pytestmark = [pytest.mark.kube, pytest.mark.envoy, pytest.mark.root, pytest.mark.timeout(300)]


async def test_helm_test_succeeds(site: Cluster) -> None:
    """The hook's pod runs, ends well (else Helm says that it failed), and is taken away as its policy says."""
    with helm.Config(kubeconfig_path=site.plane.address.kubeconfig, namespace=SYSTEM) as releases:
        await asyncio.to_thread(releases.test, "istiod", timeout=60)
    asked = [(call["verb"], call.get("objectRef", {}), call["responseStatus"]["code"]) for call in site.plane.calls()]
    made = [(verb, code) for verb, ref, code in asked if ref.get("name") == "istiod-test" and "subresource" not in ref]
    assert ("patch", 201) in made  # as Helm 4 makes objects

    async def gone() -> bool:
        return await site.api.get("v1", "Pod", "istiod-test", SYSTEM) is None

    await eventually(gone, within_s=20)
