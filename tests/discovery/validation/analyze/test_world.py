from __future__ import annotations

import pytest

from discovery.validation.analyze.world import fqdn, matches_host, selects
from tests.kit.analysis import world

TEXT = """
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {app: a}}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: other, labels: {app: a}}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: s}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: s, namespace: istio-system}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {x: y}}
"""


def test_a_policy_of_the_root_namespace_is_for_all() -> None:
    """Others are for pods of their own."""
    here = world(TEXT)
    own, root = here.of("Sidecar")
    assert [pod.resource.name for pod in here.selected(own, {"app": "a"})] == ["a"]
    assert [pod.resource.name for pod in here.selected(root, {"app": "a"})] == ["a", "b"]
    assert here.selected(root, {"app": "b"}) == []


def test_objects_are_found_by_name() -> None:
    """Namespaces have none themselves; what is not there has no labels."""
    here = world(TEXT)
    assert here.namespace_labels("shop") == {"x": "y"}
    assert here.namespace_labels("nowhere") == {}
    assert here.find("Pod", "other", "b") is not None
    assert here.find("Pod", "shop", "b") is None
    assert len(list(here.all())) == 5


@pytest.mark.parametrize(
    ("host", "full"),
    [("a", "a.n.svc.d"), ("a.b", "a.b"), ("*", "*"), ("*.b", "*.b"), ("", "")],
)
def test_short_names_are_of_the_namespace(host: str, full: str) -> None:
    """A dot or a wildcard makes a name a full one."""
    assert fqdn(host, "n", "d") == full


def test_wildcards_and_labels() -> None:
    """A wildcard has narrower ones in it; an empty selector has everything."""
    assert matches_host("*.b", "a.b")
    assert matches_host("*.b", "*.a.b")
    assert matches_host("*", "a")
    assert not matches_host("a.b", "*.b")
    assert not matches_host("*.b", "b")
    assert selects({}, {"a": "b"})
    assert not selects({"a": "c"}, {"a": "b"})


def test_workloads_are_more_than_pods() -> None:
    """Files hold Deployments rather than Pods, and machines have WorkloadEntries, with labels in two places."""
    more = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec: {template: {metadata: {labels: {app: d}}}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: w, labels: {zone: z}}
spec: {address: 1.2.3.4, labels: {app: w}}
---
"""
    here = world(more + TEXT)
    assert [(one.resource.name, dict(one.labels)) for one in here.workloads("shop")] == [
        ("a", {"app": "a"}),
        ("d", {"app": "d"}),
        ("w", {"zone": "z", "app": "w"}),
    ]
    assert len(list(here.workloads())) == 4
