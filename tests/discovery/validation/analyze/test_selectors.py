from __future__ import annotations

import pytest

from tests.kit.analysis import found

POD = "{apiVersion: v1, kind: Pod, metadata: {name: p, labels: {app: a, gateway.networking.k8s.io/gateway-name: g}}}\n"
GROUPS = {
    "Sidecar": "networking.istio.io/v1",
    "Telemetry": "telemetry.istio.io/v1",
    "AuthorizationPolicy": "security.istio.io/v1",
}


def _policy(kind: str, name: str, spec: str = "", namespace: str = "shop") -> str:
    head = f"---\napiVersion: {GROUPS[kind]}\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
    return f"{head}spec: {{{spec}}}\n"


@pytest.mark.parametrize(
    ("analyzer", "kind", "code"),
    [
        ("sidecar.DefaultSelectorAnalyzer", "Sidecar", "IST0111"),
        ("telemetry.DefaultSelectorAnalyzer", "Telemetry", "IST0160"),
    ],
)
def test_one_default_a_namespace(analyzer: str, kind: str, code: str) -> None:
    """Two without selector cannot both count."""
    both = _policy(kind, "a") + _policy(kind, "b")
    assert found(analyzer, both) == [f"{code} {kind} shop/a", f"{code} {kind} shop/b"]
    assert found(analyzer, _policy(kind, "a") + _policy(kind, "b", namespace="other")) == []
    chosen = "workloadSelector: {labels: {a: b}}" if kind == "Sidecar" else "selector: {matchLabels: {a: b}}"
    assert found(analyzer, _policy(kind, "a") + _policy(kind, "b", chosen)) == []


def test_one_sidecar_a_pod() -> None:
    """And a pod for each Sidecar."""
    name, chosen = "sidecar.SelectorAnalyzer", "workloadSelector: {labels: {app: a}}"
    both = POD + _policy("Sidecar", "a", chosen) + _policy("Sidecar", "b", chosen)
    assert found(name, both) == ["IST0110 Sidecar shop/a", "IST0110 Sidecar shop/b"]
    assert found(name, POD + _policy("Sidecar", "a", chosen)) == []
    assert found(name, _policy("Sidecar", "a", chosen)) == ["IST0101 Sidecar shop/a"]


def test_one_telemetry_a_pod() -> None:
    """And a pod for each Telemetry."""
    name, chosen = "telemetry.SelectorAnalyzer", "selector: {matchLabels: {app: a}}"
    both = POD + _policy("Telemetry", "a", chosen) + _policy("Telemetry", "b", chosen)
    assert found(name, both) == ["IST0159 Telemetry shop/a", "IST0159 Telemetry shop/b"]
    assert found(name, _policy("Telemetry", "a", chosen)) == ["IST0127 Telemetry shop/a"]


def test_a_provider_is_named_somewhere() -> None:
    """In the object, or for the mesh."""
    name, text = "telemetry.ProdiverAnalyzer", _policy("Telemetry", "a", "tracing: [{randomSamplingPercentage: 1}]")
    assert found(name, text) == ["IST0157 Telemetry shop/a"]
    assert found(name, text, mesh={"defaultProviders": {"tracing": ["zipkin"]}}) == []
    assert found(name, _policy("Telemetry", "a", "tracing: [{providers: [{name: x}]}]")) == []


def test_labels_do_not_reach_gateways_of_the_gateway_api() -> None:
    """Unless there is a reference, the policy is without effect there."""
    name, chosen = "k8sgateway.SelectorAnalyzer", "selector: {matchLabels: {app: a}}"
    assert found(name, POD + _policy("AuthorizationPolicy", "a", chosen)) == ["IST0166 AuthorizationPolicy shop/a"]
    root = _policy("AuthorizationPolicy", "a", chosen, "istio-system")
    assert found(name, POD + root) == ["IST0166 AuthorizationPolicy istio-system/a"]
    assert found(name, POD + _policy("AuthorizationPolicy", "a", chosen, "other")) == []


def test_who_is_allowed_exists() -> None:
    """A policy has pods; a namespace in its rules is there, as far as namespaces are known."""
    name, rule = "authz.AuthorizationPoliciesAnalyzer", "rules: [{from: [{source: {namespaces: [far, 'b*']}}]}]"
    missing = _policy("AuthorizationPolicy", "a", "selector: {matchLabels: {app: b}}")
    assert found(name, POD + missing) == ["IST0127 AuthorizationPolicy shop/a"]
    assert found(name, _policy("AuthorizationPolicy", "a", rule)) == []
    namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: NAME}}\n"
    text = _policy("AuthorizationPolicy", "a", rule)
    assert found(name, namespace.replace("NAME", "near") + text) == ["IST0101 AuthorizationPolicy shop/a"]
    assert found(name, namespace.replace("NAME", "far") + text) == []
