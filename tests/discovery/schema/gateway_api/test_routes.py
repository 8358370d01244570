from __future__ import annotations

from datetime import timedelta

import pytest

from discovery.schema.gateway_api.routes import SessionCookie, SessionPersistence
from discovery.schema.kinds import KINDS
from discovery.schema.meta import Kind
from tests.kit.manifests import istio, one


def test_connections_by_name_of_host() -> None:
    """A TLSRoute has hosts; parents and backends are those of every route."""
    route = istio(
        Kind.TLS_ROUTE,
        """
        parentRefs: [{name: gw, sectionName: tls}]
        useDefaultGateways: All
        hostnames: ["*.example.com"]
        rules: [{name: main, backendRefs: [{name: a, port: 443, weight: 9}, {name: b, port: 443, namespace: other}]}]
        """,
    ).spec
    assert (route.parent_refs[0].section_name, route.use_default_gateways) == ("tls", "All")
    assert route.hostnames == ("*.example.com",)
    assert [(ref.name, ref.namespace, ref.weight) for ref in route.rules[0].backend_refs] == [
        ("a", "", 9),
        ("b", "other", 1),
    ]


@pytest.mark.parametrize("kind", [Kind.TCP_ROUTE, Kind.TLS_ROUTE])
def test_older_versions_are_read_alike(kind: Kind) -> None:
    """Clusters have the definitions of some years."""
    for version in KINDS[kind].versions:
        found = one(
            f"{{apiVersion: gateway.networking.k8s.io/{version}, kind: {kind}, metadata: {{name: a}}, spec: {{}}}}"
        )
        assert found.key.kind is kind


def test_sessions() -> None:
    """A cookie that lives as long as the session is what is not written; durations add up."""
    text = "{rules: [{sessionPersistence: {absoluteTimeout: 1h30m, cookie: {name: s}}}]}"
    found: SessionPersistence = istio(Kind.GRPC_ROUTE, text).spec.rules[0].session_persistence
    assert (found.type, found.absolute_timeout) == ("Cookie", timedelta(minutes=90))
    assert found.cookie == SessionCookie(name="s", path="/", lifetime_type="Session")
    older = (
        "{rules: [{sessionPersistence: {sessionName: s, idleTimeout: 1m, cookieConfig: {lifetimeType: Permanent}}}]}"
    )
    found = istio(Kind.HTTP_ROUTE, older).spec.rules[0].session_persistence
    assert found.cookie_config is not None
    assert (found.session_name, found.cookie_config.lifetime_type) == ("s", "Permanent")
