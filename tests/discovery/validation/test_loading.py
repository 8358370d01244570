from __future__ import annotations

import pytest

from discovery.schema.findings import Severity
from discovery.schema.meta import Kind, ObjectKey
from discovery.validation.loading import accepted, untranslated
from tests.kit.manifests import decoded

LIST = """
    apiVersion: v1
    kind: List
    items:
    - {apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: none}, spec: {hosts: [a]}}
    - {apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {name: good}, spec: {egress: [{hosts: ["./*"]}]}}
    """


def test_an_object_that_breaks_a_rule_is_broken_the_others_are_taken() -> None:
    """It is known by name, so that its last good version can stay."""
    result = accepted(decoded(LIST))
    assert [obj.key.name for obj in result.objects] == ["good"]
    assert result.broken == (ObjectKey(Kind.VIRTUAL_SERVICE, "default", "none"),)
    assert [(finding.object, finding.path) for finding in result.findings] == [("VirtualService default/none", "spec")]


def test_a_good_document_is_the_same() -> None:
    """Nothing is copied where nothing is wrong."""
    good = decoded("{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80, name: http}]}}")
    assert accepted(good) is good
    empty = decoded("")
    assert accepted(empty) is empty


@pytest.mark.parametrize("kind", ["AuthorizationPolicy", "RequestAuthentication"])
def test_a_policy_that_is_not_enforced_is_told_loudly(kind: str) -> None:
    """Each such object has a warning: whoever wrote it believes to be protected."""
    result = accepted(
        decoded(f"{{apiVersion: security.istio.io/v1, kind: {kind}, metadata: {{name: a, namespace: n}}}}")
    )
    assert [obj.key.kind for obj in result.objects] == [kind]
    (finding,) = result.findings
    assert (finding.object, finding.severity) == (f"{kind} n/a", Severity.WARNING)
    assert "not enforced" in finding.problem


def test_kinds_without_effect_are_told_once() -> None:
    """A hundred gateways are one finding, and a Service none."""
    keys = [ObjectKey(Kind.GATEWAY, "shop", str(i)) for i in range(100)]
    found = list(untranslated([*keys, ObjectKey(Kind.SERVICE, "shop", "a"), ObjectKey(Kind.ENVOY_FILTER, "shop", "b")]))
    assert [(finding.object, finding.severity) for finding in found] == [
        ("EnvoyFilter", Severity.INFO),
        ("Gateway", Severity.INFO),
    ]
    assert list(untranslated([ObjectKey(Kind.AUTHORIZATION_POLICY, "a", "b")])) == []
    assert list(untranslated([ObjectKey(Kind.PROXY_CONFIG, "a", "b")])) == []  # the injector heeds it


def test_kinds_of_the_gateway_api_may_have_effect_by_somebody_else() -> None:
    """Whoever writes a route is told that it is not ours that serves it."""
    (finding,) = untranslated([ObjectKey(Kind.HTTP_ROUTE, "shop", "a"), ObjectKey(Kind.HTTP_ROUTE, "shop", "b")])
    assert (finding.object, finding.severity) == ("HTTPRoute", Severity.INFO)
    assert "no effect yet" in finding.problem
    assert "another controller" in finding.hint
