"""The control plane of the tests is a real one: it refuses, admits, signs and reconciles as in any cluster."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator

import pytest

from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import KubeApi
from tests.kube.server import ControlPlane

pytestmark = pytest.mark.kube


@pytest.fixture
async def api(control_plane: ControlPlane) -> AsyncIterator[KubeApi]:
    """Its administrator's view."""
    async with KubeApi(control_plane.address) as opened:
        yield opened


async def test_rights_are_checked(api: KubeApi) -> None:
    """A service account may nothing that no role grants."""
    namespace = await api.new_namespace()
    token = await api.token_for(namespace, "nobody")
    assert (await api.call("GET", f"/api/v1/namespaces/{namespace}/pods", token=token)).status == 403
    assert (await api.call("GET", "/api/v1/namespaces", token="made up")).status == 401


async def test_tokens_have_their_audience(api: KubeApi) -> None:
    """A token for `istio-ca` is good for it and for nothing else."""
    namespace = await api.new_namespace()
    token = await api.token_for(namespace, "reviews", ["istio-ca"])

    async def review(audience: str) -> bool:
        body = {"spec": {"token": token, "audiences": [audience]}}
        answer = await api.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)
        return bool(answer.json["status"].get("authenticated"))

    assert await review("istio-ca")
    assert not await review("somebody else")


async def test_controllers_work(api: KubeApi) -> None:
    """A Deployment gets its pods, a namespace its root certificate and default account."""
    namespace = await api.new_namespace()
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web"}]},
    }
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    metadata = {"name": "web", "namespace": namespace}
    await api.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})

    async def grown() -> bool:
        return len(await api.list_all("v1", "Pod", namespace)) == 3

    await eventually(grown, within_s=30)
    root = await api.get("v1", "ConfigMap", "kube-root-ca.crt", namespace)
    assert root is not None
    assert root["data"]["ca.crt"].encode() == api.ca_pem
    assert await api.get("v1", "ServiceAccount", "default", namespace) is not None


async def test_calls_are_audited(api: KubeApi, control_plane: ControlPlane) -> None:
    """Who did what is in the log once it is answered; the tests of RBAC rely on it."""
    namespace = await api.new_namespace()
    token = await api.token_for(namespace, "curious")
    await api.call("GET", f"/api/v1/namespaces/{namespace}/configmaps/secret-plan", token=token)
    user = f"system:serviceaccount:{namespace}:curious"
    (call,) = (call for call in control_plane.calls() if call["user"].get("username") == user)
    assert (call["verb"], call["objectRef"]["resource"], call["responseStatus"]["code"]) == ("get", "configmaps", 403)


def test_kubectl_works(control_plane: ControlPlane) -> None:
    """The kubeconfig makes kubectl the administrator; server and client have the version that was built."""
    command = [str(control_plane.programs["kubectl"]), "--kubeconfig", str(control_plane.address.kubeconfig)]
    done = subprocess.run([*command, "version", "-o", "json"], capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(done.stdout)["serverVersion"]["gitVersion"] == control_plane.address.version
    done = subprocess.run([*command, "auth", "can-i", "*", "*"], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "yes"
