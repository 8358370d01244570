"""Environment, arguments and quantities of containers, as the API's documentation has them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kube.kubelet.environment import MissingReferenceError, expand, resolve_environment
from tests.kube.kubelet.quantities import parse_quantity, render_share

POD: dict[str, Any] = {
    "metadata": {
        "name": "web-0",
        "namespace": "shop",
        "uid": "u-1",
        "labels": {"app": "web", "b": 'say "hi"'},
        "annotations": {"a.b/c": "note"},
    },
    "spec": {"nodeName": "node-1", "serviceAccountName": "reviews", "containers": [{"name": "main"}]},
    "status": {"podIP": "10.0.0.7", "podIPs": [{"ip": "10.0.0.7"}], "hostIP": "10.0.0.1"},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "web-0"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['a.b/c']", "note"),
        ("metadata.labels['absent']", ""),
        ("metadata.labels", 'app="web"\nb="say \\"hi\\""'),
        ("spec.nodeName", "node-1"),
        ("spec.serviceAccountName", "reviews"),
        ("status.podIP", "10.0.0.7"),
        ("status.hostIP", "10.0.0.1"),
    ],
)
def test_fields(path: str, expected: str) -> None:
    """The downward API gives what the object says."""
    env = [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}]
    assert resolve_environment(POD, {"env": env}, {}, {}, {}) == {"X": expected}


def test_sources_and_their_order() -> None:
    """Later ones win: image, API server's address, whole objects, single variables, which may name earlier ones."""
    container = {
        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "c"}}, {"secretRef": {"name": "gone", "optional": True}}],
        "env": [
            {"name": "B", "value": "$(P_key)-$(P_key)"},
            {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "D", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "gone", "optional": True}}},
            {"name": "HOST", "value": "mine"},
        ],
    }
    references = {("ConfigMap", "c"): {"key": "v"}, ("Secret", "s"): {"k": "$(B)"}}
    found = resolve_environment(POD, container, references, {"A": "image"}, {"HOST": "api"})
    assert found == {"A": "image", "HOST": "mine", "P_key": "v", "B": "v-v", "C": "$(B)"}


@pytest.mark.parametrize(
    "container",
    [
        {"envFrom": [{"configMapRef": {"name": "gone"}}]},
        {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}}]},
        {"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "spec.gone"}}}]},
    ],
)
def test_a_missing_reference_is_an_error(container: dict[str, Any]) -> None:
    """The container waits for it."""
    with pytest.raises(MissingReferenceError, match="gone"):
        resolve_environment(POD, container, {}, {}, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$(A)", "1"), ("$(B)", "$(B)"), ("$$(A)", "$(A)"), ("$A", "$A"), ("x$(A)y$(A)", "x1y1"), ("$$$(A)", "$1")],
)
def test_expansion(text: str, expected: str) -> None:
    """Known names are put in, unknown ones stay, a doubled dollar is one."""
    assert expand(text, {"A": "1"}) == expected


@pytest.mark.parametrize(
    ("quantity", "divisor", "expected"),
    [("1500m", "1", "2"), ("1500m", "1m", "1500"), ("1Gi", "1", "1073741824"), ("1Gi", "1Mi", "1024"), ("2", "0", "2")],
)
def test_resource_fields(quantity: str, divisor: str, expected: str) -> None:
    """In units of the divisor, rounded up."""
    assert render_share(quantity, divisor) == expected


def test_a_word_is_no_quantity() -> None:
    """It is refused and named."""
    with pytest.raises(ValueError, match="'many' is no quantity"):
        parse_quantity("many")
