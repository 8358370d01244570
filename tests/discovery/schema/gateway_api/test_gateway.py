from __future__ import annotations

import pytest

from discovery.schema.gateway_api.gateway import KubernetesGateway, Listener, RouteNamespaces
from discovery.schema.meta import Kind
from tests.kit.manifests import istio, one, places


def test_listeners_with_what_may_attach() -> None:
    """Hosts, certificates, namespaces by labels and kinds of routes are there, under the API's names."""
    spec = istio(
        Kind.KUBERNETES_GATEWAY,
        """
        gatewayClassName: istio
        addresses: [{type: Hostname, value: gateway.shop}]
        allowedListeners: {namespaces: {from: Same}}
        tls: {frontend: {default: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}}}}
        listeners:
        - name: https
          hostname: "*.example.com"
          port: 443
          protocol: HTTPS
          tls: {certificateRefs: [{name: cert}], options: {example.com/ciphers: few}}
          allowedRoutes:
            namespaces: {from: Selector, selector: {matchLabels: {edge: "yes"}}}
            kinds: [{kind: HTTPRoute}]
        """,
    ).spec
    assert isinstance(spec, KubernetesGateway)
    assert (spec.gateway_class_name, spec.addresses[0].type) == ("istio", "Hostname")
    assert spec.allowed_listeners is not None
    assert spec.allowed_listeners.namespaces.from_ == "Same"
    assert spec.tls is not None
    assert spec.tls.frontend is not None
    assert spec.tls.frontend.default.validation is not None
    assert spec.tls.frontend.default.validation.mode == "AllowValidOnly"
    (listener,) = spec.listeners
    assert listener.tls is not None
    assert (listener.tls.mode, listener.tls.certificate_refs[0].name) == ("Terminate", "cert")
    allowed = listener.allowed_routes
    assert allowed.namespaces.selector is not None
    assert (allowed.namespaces.from_, allowed.namespaces.selector.match_labels) == ("Selector", {"edge": "yes"})
    assert [(kind.group, kind.kind) for kind in allowed.kinds] == [("gateway.networking.k8s.io", "HTTPRoute")]


def test_routes_of_the_same_namespace_attach_unless_told_otherwise() -> None:
    """The API's default; one for ListenerSets is that none may."""
    assert Listener().allowed_routes.namespaces == RouteNamespaces(from_="Same", selector=None)
    gateway = istio(Kind.KUBERNETES_GATEWAY, "{gatewayClassName: a, listeners: [], allowedListeners: {}}").spec
    assert gateway.allowed_listeners.namespaces.from_ == "None"


def test_a_class_belongs_to_no_namespace() -> None:
    """Whatever its manifest says."""
    text = "{apiVersion: %s, kind: GatewayClass, metadata: {name: istio, namespace: odd}, spec: {controllerName: a/b}}"
    found = one(text % "gateway.networking.k8s.io/v1")
    assert (str(found.key), found.spec.controller_name) == ("GatewayClass istio", "a/b")


def test_listeners_of_others() -> None:
    """A ListenerSet names its Gateway."""
    spec = istio(
        Kind.LISTENER_SET,
        "{parentRef: {name: gw, namespace: edge}, listeners: [{name: a, port: 80, protocol: HTTP}]}",
    ).spec
    assert (spec.parent_ref.kind, spec.parent_ref.namespace) == ("Gateway", "edge")
    assert spec.listeners == (Listener(name="a", port=80, protocol="HTTP"),)


@pytest.mark.parametrize(
    ("kind", "spec", "told"),
    [
        (Kind.GATEWAY_CLASS, "{}", ["controllerName"]),
        (Kind.KUBERNETES_GATEWAY, "{listeners: []}", ["gatewayClassName"]),
        (
            Kind.KUBERNETES_GATEWAY,
            "{gatewayClassName: a, listeners: [{name: a, port: 70000, protocl: HTTP}]}",
            ["listeners[0].port", "listeners[0].protocl", "listeners[0].protocol"],
        ),
        (Kind.LISTENER_SET, "{}", ["parentRef", "listeners"]),
    ],
)
def test_what_they_cannot_do_without(kind: Kind, spec: str, told: list[str]) -> None:
    """All that is missing or wrong is told at once."""
    assert places(kind, spec) == told
