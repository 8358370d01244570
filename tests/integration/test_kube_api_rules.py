"""What is refused of built-in kinds, by the API server double and by the real one alike."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_api.objects import Json, copied

pytestmark = pytest.mark.kube

LABELS = {"app": "web"}
CONTAINER = {"name": "app", "image": "app:1"}
NOW = "2026-01-01T00:00:00.000000Z"

GOOD: dict[str, tuple[str, Json]] = {
    "configmaps": ("/api/v1", {"data": {"a": "1"}}),
    "secrets": ("/api/v1", {"type": "Opaque"}),
    "services": ("/api/v1", {"spec": {"selector": LABELS, "ports": [{"name": "http", "port": 80}]}}),
    "deployments": (
        "/apis/apps/v1",
        {
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": LABELS},
                "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}},
            }
        },
    ),
    "leases": (
        "/apis/coordination.k8s.io/v1",
        {"spec": {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": NOW}},
    ),
    "endpointslices": (
        "/apis/discovery.k8s.io/v1",
        {"addressType": "IPv4", "endpoints": [{"addresses": ["192.0.2.1"]}], "ports": [{"port": 80}]},
    ),
    "rolebindings": (
        "/apis/rbac.authorization.k8s.io/v1",
        {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}},
    ),
    "events": (
        "/apis/events.k8s.io/v1",
        {
            "eventTime": NOW,
            "reportingController": "example.org/test",
            "reportingInstance": "one",
            "action": "Look",
            "reason": "Seen",
            "type": "Normal",
            "note": "seen",
        },
    ),
}


def changed(plural: str, path: str, value: Any) -> Json:
    """A good object with one field set, by dotted path; None takes it away."""
    item = copied(GOOD[plural][1])
    item["metadata"] = {"name": "one"}
    *parents, last = path.split(".")
    node: Any = item
    for part in parents:
        node = node[int(part)] if part.isdigit() else node.setdefault(part, {})
    if value is None:
        node.pop(last, None)
    else:
        node[last] = value
    return item


def place(plural: str, namespace: str) -> str:
    return f"{GOOD[plural][0]}/namespaces/{namespace}/{plural}"


def bound(plural: str, namespace: str, item: Json) -> Json:
    """The object; an event is about something in its namespace."""
    regarding = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "namespace": namespace}
    return {"regarding": regarding, **item} if plural == "events" else item


@pytest.mark.parametrize("plural", sorted(GOOD))
async def test_good_objects_are_taken(kube_api: KubeApi, plural: str) -> None:
    """What the table below changes is good as it is."""
    namespace = await kube_api.new_namespace()
    item = bound(plural, namespace, {**GOOD[plural][1], "metadata": {"name": "one"}})
    answer = await kube_api.call("POST", place(plural, namespace), item)
    assert answer.status == 201, answer.body


@pytest.mark.parametrize(
    ("plural", "path", "value", "wanted"),
    [
        ("configmaps", "data.a", 1, (400, "")),
        ("configmaps", "data", {"a b": "1"}, (422, "data[a b]")),
        ("configmaps", "metadata.labels", {"a": 1}, (400, "")),
        ("configmaps", "metadata.labels", {"a": "not a value"}, (422, "metadata.labels")),
        ("configmaps", "metadata.labels", {"not a key": "1"}, (422, "metadata.labels")),
        ("configmaps", "metadata.annotations", {"a": True}, (400, "")),
        ("services", "spec.ports", [{"port": 80}, {"port": 81}], (422, "spec.ports[0].name")),
        ("services", "spec.ports", [{"port": 0}], (422, "spec.ports[0].port")),
        ("services", "spec.ports", [{"name": "a", "port": 1}, {"name": "a", "port": 2}], (422, "spec.ports[1].name")),
        ("services", "spec.ports", None, (422, "spec.ports")),
        ("deployments", "spec.selector", {"matchLabels": {"a": "b"}}, (422, "spec.template.metadata.labels")),
        (
            "deployments",
            "spec.template.spec.containers",
            [{"name": "a"}],
            (422, "spec.template.spec.containers[0].image"),
        ),
        (
            "deployments",
            "spec.template.spec.containers",
            [CONTAINER, CONTAINER],
            (422, "spec.template.spec.containers[1].name"),
        ),
        (
            "deployments",
            "spec.template.spec.containers.0.volumeMounts",
            [{"name": "none", "mountPath": "/x"}],
            (422, "spec.template.spec.containers[0].volumeMounts[0].name"),
        ),
        ("leases", "spec.renewTime", "2026-01-01T00:00:00Z", (400, "")),
        ("leases", "spec.leaseDurationSeconds", 0, (422, "spec.leaseDurationSeconds")),
        ("endpointslices", "addressType", None, (422, "addressType")),
        ("endpointslices", "addressType", "IPv6", (422, "endpoints[0].addresses")),
        ("endpointslices", "endpoints", [{"addresses": []}], (422, "endpoints[0].addresses")),
        ("events", "eventTime", None, (422, "eventTime")),
        ("events", "eventTime", "2026-01-01T00:00:00Z", (400, "")),
        ("events", "reportingController", None, (422, "reportingController")),
        ("events", "action", None, (422, "action")),
        ("events", "type", "Odd", (422, "type")),
    ],
)
async def test_bad_objects_are_refused(
    kube_api: KubeApi, plural: str, path: str, value: Any, wanted: tuple[int, str]
) -> None:
    """With the status that tells why: 400 does not decode, 422 breaks a rule and names the field."""
    namespace = await kube_api.new_namespace()
    item = bound(plural, namespace, changed(plural, path, value))
    answer = await kube_api.call("POST", place(plural, namespace), item)
    status, field = wanted
    assert answer.status == status, answer.body
    if field:
        assert field in {cause["field"] for cause in answer.json["details"]["causes"]}, answer.body


@pytest.mark.parametrize(
    ("plural", "path", "value"),
    [
        ("services", "spec.clusterIP", "10.96.200.200"),
        ("deployments", "spec.selector", {"matchLabels": {"app": "web", "x": "y"}}),
        ("endpointslices", "addressType", "FQDN"),
        ("secrets", "type", "example.org/other"),
        (
            "rolebindings",
            "roleRef",
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "other"},
        ),
    ],
)
async def test_some_fields_never_change(kube_api: KubeApi, plural: str, path: str, value: Any) -> None:
    """An update of them is refused."""
    namespace = await kube_api.new_namespace()
    root = place(plural, namespace)
    item = {**GOOD[plural][1], "metadata": {"name": "one"}}
    assert (await kube_api.call("POST", root, item)).status == 201
    after = changed(plural, path, value)
    if plural == "deployments":
        after["spec"]["template"]["metadata"]["labels"] = {"app": "web", "x": "y"}
    answer = await kube_api.call("PUT", f"{root}/one", after)
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
