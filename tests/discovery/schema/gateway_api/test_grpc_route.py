from __future__ import annotations

from discovery.schema.gateway_api.grpc_route import GRPCMethodMatch, GRPCRoute
from discovery.schema.meta import Kind
from tests.kit.manifests import istio, places


def test_calls_by_service_and_method() -> None:
    """Matches, backends and filters are there; no matches stay none, which takes every call."""
    spec = istio(
        Kind.GRPC_ROUTE,
        """
        hostnames: [api.example.com]
        rules:
        - matches: [{method: {service: shop.Cart}, headers: [{name: x, value: "1"}]}]
          backendRefs: [{name: cart, port: 9000}]
        - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: copy, port: 9000}, percent: 50}}]
        """,
    ).spec
    assert isinstance(spec, GRPCRoute)
    first, second = spec.rules
    assert first.matches[0].method == GRPCMethodMatch(type="Exact", service="shop.Cart", method="")
    assert [(header.name, header.value) for header in first.matches[0].headers] == [("x", "1")]
    assert first.backend_refs[0].port == 9000
    assert second.matches == ()
    assert second.filters[0].request_mirror is not None
    assert second.filters[0].request_mirror.percent == 50


def test_what_cannot_be_read_is_told() -> None:
    """A path is HTTP's."""
    spec = "{rules: [{matches: [{path: {}, method: {service: 1}}]}]}"
    assert places(Kind.GRPC_ROUTE, spec) == ["rules[0].matches[0].path", "rules[0].matches[0].method.service"]
