from __future__ import annotations

import json

import pytest

from tests.kit.analysis import found

PROXY = ", spec: {containers: [{name: istio-proxy, image: IMAGE}]}"


def _namespace(labels: str) -> str:
    return f"---\n{{apiVersion: v1, kind: Namespace, metadata: {{name: shop, labels: {{{labels}}}}}}}\n"


def _pod(more: str = "", meta: str = "") -> str:
    return f"---\n{{apiVersion: v1, kind: Pod, metadata: {{name: p{meta}}}{more}}}\n"


def _injector(values: object, name: str = "istio-sidecar-injector") -> str:
    data = json.dumps({"values": json.dumps(values)})
    return (
        f"---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}, namespace: istio-system}}, data: {data}}}\n"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (_namespace("istio-injection: enabled"), []),
        (_namespace("istio-injection: disabled") + _pod(), []),
        (_namespace(""), ["IST0102 Namespace shop"]),
        (_namespace("istio.io/dataplane-mode: ambient"), []),
        (_namespace("istio-injection: enabled, istio.io/rev: a"), ["IST0123 Namespace shop"]),
        (_namespace("istio-injection: enabled") + _pod(), ["IST0103 Pod shop/p"]),
        (_namespace("istio.io/rev: canary") + _pod(), ["IST0103 Pod shop/p"]),
        (_namespace("istio-injection: enabled") + _pod(PROXY), []),
        (_namespace("istio-injection: enabled") + _pod(", status: {phase: Succeeded}"), []),
        (_namespace("istio-injection: enabled") + _pod("", ", labels: {sidecar.istio.io/inject: 'false'}"), []),
        (_namespace("istio-injection: enabled") + _pod(", spec: {hostNetwork: true}"), []),
        (
            _injector({"sidecarInjectorWebhook": {"enableNamespacesByDefault": True}}) + _namespace(""),
            ["IST0148 Namespace shop"],
        ),
    ],
)
def test_namespaces_say_and_pods_have(text: str, wanted: list[str]) -> None:
    """Whether they are part of the mesh, and their proxies if they are."""
    assert found("injection.Analyzer", text) == wanted


@pytest.mark.parametrize(
    ("image", "meta", "old"),
    [
        ("hub/proxyv2:1", "", False),
        ("hub/proxyv2:0", "", True),
        ("hub/proxyv2:0", ", annotations: {sidecar.istio.io/proxyImage: hub/proxyv2:0}", False),
    ],
)
def test_proxies_are_of_the_injectors_image(image: str, meta: str, old: bool) -> None:
    """Unless the pod asks for another."""
    values = {"global": {"hub": "hub", "tag": 1, "proxy": {"image": "proxyv2"}}}
    text = _injector(values) + _namespace("istio-injection: enabled") + _pod(PROXY.replace("IMAGE", image), meta)
    assert found("injection.ImageAnalyzer", text) == (["IST0158 Namespace shop"] if old else [])


def test_a_whole_image_and_a_revision() -> None:
    """An image with a slash is whole; each revision has an injector of its own."""
    values = {"global": {"proxy": {"image": "other/proxy:2"}}}
    pod = _namespace("istio.io/rev: canary") + _pod(PROXY.replace("IMAGE", "hub/proxyv2:1"))
    assert found("injection.ImageAnalyzer", _injector(values) + pod) == []
    canary = _injector(values, "istio-sidecar-injector-canary")
    assert found("injection.ImageAnalyzer", canary + pod) == ["IST0158 Namespace shop"]


def test_auto_is_replaced_by_somebody() -> None:
    """A running pod with it cannot start; a Deployment may yet be labelled."""
    name, auto = "injection.ImageAutoAnalyzer", PROXY.replace("IMAGE", "auto")
    hook = "{name: a.sidecar-injector.istio.io, namespaceSelector: {matchLabels: {istio-injection: enabled}}}"
    kind = "kind: MutatingWebhookConfiguration, metadata: {name: h}"
    hooks = f"---\n{{apiVersion: admissionregistration.k8s.io/v1, {kind}, webhooks: [{hook}]}}\n"
    deployment = (
        "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, "
        "spec: {template: {spec: {containers: [{name: istio-proxy, image: auto}]}}}}\n"
    )
    assert found(name, hooks + _pod(auto) + deployment) == ["IST0147 Pod shop/p", "IST0146 Deployment shop/d"]
    assert found(name, hooks + _namespace("istio-injection: enabled") + _pod(auto) + deployment) == []
