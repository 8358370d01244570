from __future__ import annotations

from datetime import timedelta

from discovery.schema.meta import Kind
from discovery.schema.virtual_service import (
    CorsPolicy,
    DerivePort,
    Destination,
    HTTPRoute,
    Percent,
    StringMatch,
    VirtualService,
)
from tests.kit.manifests import istio


def route(text: str) -> HTTPRoute:
    spec = istio(Kind.VIRTUAL_SERVICE, f"{{hosts: [a], http: [{text}]}}").spec
    assert isinstance(spec, VirtualService)
    return spec.http[0]


def test_matches_and_weights() -> None:
    """The everyday route."""
    found = route("""{
        match: [{uri: {prefix: /api}, headers: {x-user: {exact: jason}}, sourceLabels: {app: web}}],
        route: [{destination: {host: a, subset: v1, port: {number: 80}}, weight: 90},
                {destination: {host: b}, weight: 10}]
    }""")
    assert found.match[0].uri == StringMatch(prefix="/api")
    assert found.match[0].headers == {"x-user": StringMatch(exact="jason")}
    assert [r.weight for r in found.route] == [90, 10]
    destination = found.route[0].destination
    assert destination is not None
    assert (destination.host, destination.subset, destination.port and destination.port.number) == ("a", "v1", 80)


def test_what_else_a_route_does() -> None:
    """Retries, faults, mirrors, redirects, CORS and header changes keep their types."""
    found = route("""{
        timeout: 0.5s,
        retries: {attempts: 3, perTryTimeout: 2s, retryOn: 5xx},
        fault: {delay: {fixedDelay: 7s, percentage: {value: 0.1}}, abort: {httpStatus: 500}},
        mirror: {host: m}, mirrorPercentage: {value: 100},
        redirect: {derivePort: FROM_REQUEST_PORT},
        corsPolicy: {allowOrigins: [{regex: ".*"}], maxAge: 24h, allowCredentials: true},
        headers: {request: {set: {a: b}, add: {c: d}, remove: [e]}}
    }""")
    assert found.timeout == timedelta(milliseconds=500)
    assert found.retries is not None
    assert found.retries.per_try_timeout == timedelta(seconds=2)
    assert found.fault is not None
    assert found.fault.delay is not None
    assert found.fault.delay.percentage == Percent(value=0.1)
    assert found.mirror == Destination(host="m")
    assert found.redirect is not None
    assert found.redirect.derive_port is DerivePort.FROM_REQUEST_PORT
    assert found.cors_policy == CorsPolicy(
        allow_origins=(StringMatch(regex=".*"),), max_age=timedelta(days=1), allow_credentials=True
    )
    assert found.headers is not None
    assert found.headers.request is not None
    assert (found.headers.request.set, found.headers.request.remove) == ({"a": "b"}, ("e",))
