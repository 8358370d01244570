"""What the webhook answers when a pod is created."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import pytest

from discovery.inject.builtin import builtin_values, config_from_values
from discovery.inject.native_sidecar import NativeSidecars
from discovery.schema.decode import decode
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Object
from discovery.webhooks.admission import GroupVersionKind, Request
from discovery.webhooks.injecting import InjectSettings, PodInjector
from discovery.webhooks.injector_config import InjectorState
from tests.kit.kube_api.patching import json_patch

VALUES = builtin_values()
STATE = InjectorState(config_from_values(VALUES), VALUES)
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"generateName": "web-", "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "app", "image": "app:1"}]},
}


class Around:
    """A mesh of one node."""

    def __init__(self, *, kubelet: str = "v1.34.0", objects: Iterable[Object] = ()) -> None:
        self.mesh = MeshConfig()
        self._kubelet = kubelet
        self._objects = tuple(objects)

    def proxy_configs(self) -> Iterable[Object]:
        return self._objects

    def kubelets(self) -> Mapping[str, str]:
        return {"node": self._kubelet}

    def namespace_annotations(self, namespace: str) -> Mapping[str, str]:
        return {"openshift.io/sa.scc.uid-range": "1000/10"} if namespace == "shop" else {}


def request(pod: dict[str, Any] | None = POD, **changes: Any) -> Request:
    """The creation of a pod in namespace shop."""
    asked = Request(uid="u", kind=GroupVersionKind("", "v1", "Pod"), namespace="shop", operation="CREATE", object=pod)
    return msgspec.structs.replace(asked, **changes)


def injector(around: Around | None = None, *, state: InjectorState | None = STATE, **settings: Any) -> PodInjector:
    """An injector in some circumstances."""
    return PodInjector(lambda: state, around or Around(), InjectSettings(**settings))


def created(subject: PodInjector, pod: dict[str, Any] = POD, path: str = "/inject") -> dict[str, Any]:
    """The pod as the API server stores it."""
    answer = subject.review(request(pod), path).answer
    assert answer.allowed, answer.message
    return json_patch(copy.deepcopy(pod), copy.deepcopy(list(map(dict, answer.patch))))


def proxy(pod: dict[str, Any]) -> dict[str, Any]:
    """Its proxy."""
    containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
    return next(found for found in containers if found["name"] == "istio-proxy")


def variables(pod: dict[str, Any]) -> dict[str, Any]:
    """The proxy's variables."""
    return {item["name"]: item.get("value") for item in proxy(pod)["env"]}


def test_a_pod_gets_its_proxy_by_a_patch() -> None:
    """The request itself is left alone."""
    before = copy.deepcopy(POD)
    pod = created(injector())
    assert proxy(pod)["image"] == "localhost/pilot-mesh/proxyv2:0.1.0"
    assert before == POD
    assert injector().review(request(pod), "/inject").answer.patch == []


@pytest.mark.parametrize(("kubelet", "native"), [("v1.34.0", True), ("v1.30.0", False)])
def test_nodes_decide_on_native_sidecars(kubelet: str, native: bool) -> None:
    """Unless the setting does."""
    pod = created(injector(Around(kubelet=kubelet)))
    assert (proxy(pod) in pod["spec"]["initContainers"]) is native
    forced = created(injector(Around(kubelet=kubelet), native=NativeSidecars.FALSE))
    assert proxy(forced) in forced["spec"]["containers"]


def test_settings_of_the_cluster_reach_the_pod() -> None:
    """Path, ProxyConfig objects, ranges of users, revision, compliance."""
    document = {
        "apiVersion": "networking.istio.io/v1beta1",
        "kind": "ProxyConfig",
        "metadata": {"name": "all", "namespace": "istio-system"},
        "spec": {"environmentVariables": {"FROM_OBJECT": "1"}},
    }
    subject = injector(
        Around(objects=decode(document).objects), openshift=True, revision="canary", compliance_policy="fips-140-2"
    )
    pod = created(subject, path="/inject/cluster/remote")
    found = variables(pod)
    assert found["FROM_OBJECT"] == "1"
    assert found["ISTIO_META_CLUSTER_ID"] == "remote"
    assert found["COMPLIANCE_POLICY"] == "fips-140-2"
    assert found["CA_ADDR"] == "istiod-canary.istio-system.svc:15012"
    assert proxy(pod)["securityContext"]["runAsUser"] == 1009


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": "DELETE"},
        {"operation": "UPDATE"},
        {"object": None},
        {"kind": GroupVersionKind("apps", "v1", "Deployment")},
        {"namespace": "kube-system"},
        {"object": {**POD, "spec": {**POD["spec"], "hostNetwork": True}}},  # type: ignore[dict-item]
    ],
)
def test_what_is_left_alone(changes: dict[str, Any]) -> None:
    """Is allowed as it is."""
    answer = injector().review(request(**changes), "/inject").answer
    assert answer.allowed
    assert not answer.patch


@pytest.mark.parametrize(
    ("pod", "state", "problem"),
    [
        (POD, None, "no injector configuration yet"),
        ({**POD, "metadata": {"annotations": {"inject.istio.io/templates": "x"}}}, STATE, "template 'x' is not there"),
        ({**POD, "metadata": {"labels": {"a": 1}}}, STATE, "put it in quotes"),
    ],
)
def test_what_cannot_be_injected_is_refused(pod: dict[str, Any], state: InjectorState | None, problem: str) -> None:
    """A pod of the mesh without a proxy would be outside of every policy."""
    answer = injector(state=state).review(request(pod), "/inject").answer
    assert not answer.allowed
    assert problem in answer.message
