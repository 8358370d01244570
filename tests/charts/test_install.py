"""The charts in a real API server, by Helm's own engine: admitted, upgraded, rolled back, gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import helm_python as helm
import pytest

from tests.kit.eventually import eventually
from tests.kit.helm import chart_path, render
from tests.kit.kube_api.handle import KubeApi
from tests.kube.server import ControlPlane, running_control_plane

pytestmark = pytest.mark.kube

_SYSTEM: Final = "istio-system"
_RBAC: Final = "rbac.authorization.k8s.io/v1"
_ADMISSION: Final = "admissionregistration.k8s.io/v1"


@pytest.fixture(scope="module")
def control_plane() -> Iterator[ControlPlane]:
    """A server of our own: what the charts install is not only in namespaces."""
    with running_control_plane() as running:
        yield running


@pytest.fixture
async def api(control_plane: ControlPlane) -> AsyncIterator[KubeApi]:
    """Its administrator's view."""
    async with KubeApi(control_plane.address) as opened:
        yield opened


@pytest.fixture(scope="module")
def releases(control_plane: ControlPlane) -> Iterator[helm.Config]:
    """Helm, in the system namespace."""
    with helm.Config(kubeconfig_path=control_plane.address.kubeconfig, namespace=_SYSTEM) as config:
        yield config


@asynccontextmanager
async def _installed(
    releases: helm.Config, chart: str, name: str, values: dict[str, Any] | None = None
) -> AsyncIterator[None]:
    """A release, for as long as the context lasts: tests come in any order."""
    done = await asyncio.to_thread(releases.install, chart_path(chart), name, values or {}, namespace=_SYSTEM)
    assert done["status"] == "deployed"
    try:
        yield
    finally:
        await asyncio.to_thread(releases.uninstall, name)


@pytest.fixture(scope="module", autouse=True)
def _definitions(releases: helm.Config) -> None:
    """The base chart comes first, as the documentation says."""
    done = releases.install(chart_path("base"), "istio-base", {}, namespace=_SYSTEM, create_namespace=True)
    assert done["status"] == "deployed"


async def test_definitions_are_served(api: KubeApi) -> None:
    """Every file is a definition that the server finds sound and establishes; objects can then be written."""
    count = len(list((chart_path("base") / "files/crds").glob("*.yaml")))

    async def established() -> bool:
        conditions = [
            {condition["type"]: condition["status"] for condition in item["status"].get("conditions") or ()}
            for item in await api.list_all("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        ]
        assert not [found for found in conditions if found.get("NonStructuralSchema") == "True"]
        return [found.get("Established") for found in conditions] == ["True"] * count

    await eventually(established)
    await eventually(lambda: _written(api))


async def _written(api: KubeApi) -> bool:
    """Whether a VirtualService could be written: discovery follows the definitions a little later."""
    virtual_service = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "reviews", "namespace": "default"},
        "spec": {"hosts": ["reviews"], "http": [{"route": [{"destination": {"host": "reviews"}}]}]},
    }
    with contextlib.suppress(AssertionError):  # the API server refuses it, or does not know the kind yet
        await api.apply(virtual_service)
        return True
    return False


async def test_upgrade_and_rollback(api: KubeApi, releases: helm.Config) -> None:
    """A second revision changes what it says, a rollback undoes it, and what the control plane wrote stays: its
    authority in the webhooks, which Helm does not own."""
    async with _installed(releases, "discovery", "istiod"):
        name = f"istio-validator-{_SYSTEM}"
        patch = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "LS0tCg=="}]
        path = await api.path(_ADMISSION, "ValidatingWebhookConfiguration", name=name)
        answer = await api.call("PATCH", path, json.dumps(patch).encode(), content_type="application/json-patch+json")
        assert answer.status == 200
        values = {"autoscaleEnabled": False, "replicaCount": 2}
        upgraded = await asyncio.to_thread(releases.upgrade, chart_path("discovery"), "istiod", values)
        assert (upgraded["status"], upgraded["revision"]) == ("deployed", 2)
        deployment = await api.get("apps/v1", "Deployment", "istiod", _SYSTEM)
        assert deployment is not None
        assert deployment["spec"]["replicas"] == 2
        assert await api.get("autoscaling/v2", "HorizontalPodAutoscaler", "istiod", _SYSTEM) is None
        await asyncio.to_thread(releases.rollback, "istiod", version=1)
        assert await api.get("autoscaling/v2", "HorizontalPodAutoscaler", "istiod", _SYSTEM) is not None
        webhook = await api.get(_ADMISSION, "ValidatingWebhookConfiguration", name)
        assert webhook is not None
        assert webhook["webhooks"][0]["clientConfig"]["caBundle"] == "LS0tCg=="


async def test_a_canary_beside_it_and_away_again(api: KubeApi, releases: helm.Config) -> None:
    """A revision with a tag is installed beside the first; uninstalled, it leaves nothing, and the first whole."""
    values = {"revision": "canary", "revisionTags": ["stable"]}
    async with _installed(releases, "discovery", "istiod"):
        async with _installed(releases, "discovery", "istiod-canary", values):
            assert await api.get("apps/v1", "Deployment", "istiod-canary", _SYSTEM) is not None
            tag = f"istio-revision-tag-stable-{_SYSTEM}"
            assert await api.get(_ADMISSION, "MutatingWebhookConfiguration", tag) is not None
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
            left = {item["metadata"]["name"] for item in await api.list_all(_ADMISSION, kind)}
            assert not {name for name in left if "canary" in name or "stable" in name}
        roles = {item["metadata"]["name"] for item in await api.list_all(_RBAC, "ClusterRole")}
        assert not {name for name in roles if "canary" in name}
        assert await api.get("apps/v1", "Deployment", "istiod", _SYSTEM) is not None


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"kind": "DaemonSet", "podDisruptionBudget": {"maxUnavailable": 1}, "networkPolicy": {"enabled": True}},
        {"service": {"type": "NodePort", "externalTrafficPolicy": "Local"}, "autoscaling": {"enabled": False}},
    ],
    ids=["defaults", "daemonset", "nodeport"],
)
async def test_gateway_is_admitted(api: KubeApi, releases: helm.Config, values: dict[str, Any]) -> None:
    """In each of its forms."""
    async with _installed(releases, "gateway", "istio-ingress", values):
        assert await api.get("v1", "Service", "istio-ingress", _SYSTEM) is not None


_EVERYTHING: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    (
        "discovery",
        "with all options",
        {
            "revision": "v2",
            "revisionTags": ["stable"],
            "autoscaleMin": 2,
            "autoscaleBehavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
            "memory": {"targetAverageUtilization": 80},
            "pdb": {"minAvailable": 0, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "a/b", "whenUnsatisfiable": "DoNotSchedule"}],
            "tolerations": [{"key": "a", "operator": "Exists"}],
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "affinity": {"podAntiAffinity": {}},
            "ipFamilyPolicy": "PreferDualStack",
            "ipFamilies": ["IPv4"],
            "jwksResolverExtraRootCA": "-----BEGIN CERTIFICATE-----",
            "volumes": [{"name": "more", "emptyDir": {}}],
            "volumeMounts": [{"name": "more", "mountPath": "/more"}],
            "envVarFrom": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}],
            "env": {"PILOT_ENABLE_VHDS": False},
            "global": {"networkPolicy": {"enabled": True}, "priorityClassName": "system-cluster-critical"},
        },
    ),
    ("discovery", "with its own values", {}),
    (
        "gateway",
        "with all options",
        {
            "revision": "v2",
            "rbac": {"enabled": True},
            "podDisruptionBudget": {"minAvailable": "50%"},
            "networkPolicy": {"enabled": True},
            "autoscaling": {
                "targetMemoryUtilizationPercentage": 70,
                "autoscaleBehavior": {"scaleUp": {"stabilizationWindowSeconds": 5}},
            },
            "service": {"loadBalancerClass": "a/b", "loadBalancerSourceRanges": ["10.0.0.0/8"]},
            "env": {"A": "b"},
            "minReadySeconds": 5,
        },
    ),
    ("gateway", "with its own values", {}),
)


@pytest.mark.parametrize(
    ("chart", "values"),
    [(chart, values) for chart, _, values in _EVERYTHING],
    ids=[" ".join(c[:2]) for c in _EVERYTHING],
)
async def test_every_field_is_one_that_kubernetes_has(api: KubeApi, chart: str, values: dict[str, Any]) -> None:
    """Each object is admitted under strict validation, where a field that is misspelt or given twice is an error."""
    manifests = render(chart, values, namespace="default")
    for manifest in manifests:
        path = await api.path(manifest["apiVersion"], manifest["kind"], manifest["metadata"].get("namespace", ""))
        answer = await api.call("POST", path, manifest, query={"dryRun": "All", "fieldValidation": "Strict"})
        assert answer.status == 201, (manifest["kind"], answer.body.decode())
        assert "Warning" not in answer.headers, manifest["kind"]
    optional = {"NetworkPolicy", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
    assert not values or optional <= {manifest["kind"] for manifest in manifests}


async def test_definitions_outlive_their_release(api: KubeApi, releases: helm.Config) -> None:
    """Uninstalling base must not delete everybody's configuration; installing again takes the definitions over."""
    await eventually(lambda: _written(api))
    await asyncio.to_thread(releases.uninstall, "istio-base")
    try:
        assert await api.get("networking.istio.io/v1", "VirtualService", "reviews", "default") is not None
    finally:
        again = await asyncio.to_thread(releases.install, chart_path("base"), "istio-base", {}, namespace=_SYSTEM)
    assert again["status"] == "deployed"
