from __future__ import annotations

import pytest

from discovery.schema.gateway_api.references import GROUP, BackendRef, ParentReference, SecretObjectReference
from discovery.schema.meta import Kind
from tests.kit.manifests import istio, places


def test_what_is_not_written_has_the_defaults_of_the_api() -> None:
    """A parent is a Gateway, a backend a Service of weight 1, a certificate a Secret, all in the same namespace."""
    route = istio(Kind.TCP_ROUTE, "{parentRefs: [{name: gw}], rules: [{backendRefs: [{name: db, port: 5432}]}]}").spec
    assert route.parent_refs == (ParentReference(group=GROUP, kind="Gateway", namespace="", name="gw", port=None),)
    assert route.rules[0].backend_refs == (BackendRef(group="", kind="Service", name="db", port=5432, weight=1),)
    assert SecretObjectReference(name="cert").kind == "Secret"


def test_a_parent_may_be_a_service() -> None:
    """The core group is written as an empty text, which is not the same as not written."""
    (parent,) = istio(
        Kind.HTTP_ROUTE, "{parentRefs: [{group: '', kind: Service, name: web, port: 80}]}"
    ).spec.parent_refs
    assert (parent.group, parent.kind, parent.port) == ("", "Service", 80)


@pytest.mark.parametrize(
    ("spec", "places_told"),
    [
        ("{parentRefs: [{sectionName: http}]}", ["parentRefs[0].name"]),
        ("{parentRefs: [{name: gw, port: 0}]}", ["parentRefs[0].port"]),
        ("{rules: [{backendRefs: [{name: a, weight: half}]}]}", ["rules[0].backendRefs[0].weight"]),
        ("{rules: [{backendRefs: [{name: a, wieght: 1}]}]}", ["rules[0].backendRefs[0].wieght"]),
    ],
)
def test_references_that_cannot_be_read(spec: str, places_told: list[str]) -> None:
    """A name that is missing, a port that is none, a misspelt field: each with its place."""
    assert places(Kind.TCP_ROUTE, spec) == places_told
