from __future__ import annotations

from datetime import timedelta

from discovery.schema.gateway_api.http_route import HTTPPathMatch, HTTPRoute, HTTPRouteMatch, HTTPRouteRule
from discovery.schema.meta import Kind
from tests.kit.manifests import istio, places


def test_rules_with_matches_backends_and_times() -> None:
    """A rule is read in full."""
    spec = istio(
        Kind.HTTP_ROUTE,
        """
        hostnames: [shop.example.com]
        rules:
        - name: main
          matches:
          - path: {type: Exact, value: /buy}
            headers: [{name: x-tier, value: gold}]
            queryParams: [{type: RegularExpression, name: q, value: "[a-z]+"}]
            method: POST
          backendRefs: [{name: cart, port: 80, weight: 0, filters: [{type: RequestHeaderModifier}]}]
          timeouts: {request: 10s, backendRequest: 1500ms}
          retry: {codes: [503], attempts: 3, backoff: 100ms}
        """,
    ).spec
    assert isinstance(spec, HTTPRoute)
    (rule,) = spec.rules
    (match,) = rule.matches
    assert (match.path, match.method) == (HTTPPathMatch(type="Exact", value="/buy"), "POST")
    assert [(header.type, header.name) for header in match.headers] == [("Exact", "x-tier")]
    assert [param.type for param in match.query_params] == ["RegularExpression"]
    (backend,) = rule.backend_refs
    assert (backend.name, backend.weight, len(backend.filters)) == ("cart", 0, 1)
    assert rule.timeouts is not None
    assert rule.timeouts.backend_request == timedelta(seconds=1.5)
    assert rule.retry is not None
    assert (rule.retry.codes, rule.retry.attempts) == ((503,), 3)


def test_without_matches_every_path_matches() -> None:
    """A route without rules has one that takes every request, as the API server would write it."""
    everything = HTTPRouteMatch(path=HTTPPathMatch(type="PathPrefix", value="/"))
    assert istio(Kind.HTTP_ROUTE, "{}").spec.rules == (HTTPRouteRule(matches=(everything,)),)
    assert istio(Kind.HTTP_ROUTE, "{rules: [{matches: [{}]}]}").spec.rules[0].matches == (everything,)
    assert istio(Kind.HTTP_ROUTE, "{rules: [{backendRefs: []}]}").spec.rules[0].matches == (everything,)


def test_routes_that_cannot_be_read() -> None:
    """All problems at once."""
    spec = "{rules: [{matches: [{headers: [{name: a}]}], timeouts: {request: soon}, retry: {codes: [200]}}], host: a}"
    assert places(Kind.HTTP_ROUTE, spec) == [
        "rules[0].matches[0].headers[0].value",
        "rules[0].timeouts.request",
        "rules[0].retry.codes[0]",
        "host",
    ]
