"""For which proxies a route is."""

from __future__ import annotations

import pytest

from discovery.mesh.callers import Caller, Condition, condition, conditions, meant_for
from discovery.mesh.virtual_services import virtual_service_header
from tests.kit.mesh_db import MeshDb
from tests.kit.virtual_services import document, key, resolved

CALLER = Caller(port=80, namespace="shop", labels=(("app", "web"), ("version", "v1")))


@pytest.mark.parametrize(
    ("match", "meant"),
    [
        ("{uri: {prefix: /}}", True),
        ("{port: 80}", True),
        ("{port: 81}", False),
        ("{sourceLabels: {app: web}}", True),
        ("{sourceLabels: {app: db}}", False),
        ("{sourceNamespace: shop}", True),
        ("{sourceNamespace: other}", False),
        ("{gateways: [mesh], sourceLabels: {app: db}}", True),
        ("{gateways: [gw]}", False),
    ],
)
def test_header_tells_whether_any_route_is_left_for_a_caller(match: str, *, meant: bool) -> None:
    """Port, labels, namespace and gateways of matches speak of the caller; gateways replace labels and namespace."""
    mesh = MeshDb(document("a", f"hosts: [a]\nhttp: [{{match: [{match}], route: [{{destination: {{host: a}}}}]}}]"))
    header = virtual_service_header(mesh.db, key("a"))
    assert header is not None
    assert header.routes_for(CALLER) is meant


def test_label_keys_that_matter_are_told() -> None:
    """Only labels that some match asks for distinguish callers."""
    mesh = MeshDb(
        document(
            "a",
            "hosts: [a]\nhttp: [{match: [{sourceLabels: {app: web, tier: x}}], route: [{destination: {host: a}}]}]",
        )
    )
    header = virtual_service_header(mesh.db, key("a"))
    assert header is not None
    assert header.source_label_keys == {"app", "tier"}
    assert not header.routes_for(Caller(80, "shop"))


def test_a_route_without_match_is_for_everybody() -> None:
    """No match, or one that asks only things of the request, leaves no condition on the caller."""
    routes = "hosts: [a]\nhttp:\n- match: [{port: 80}]\n  route: [{destination: {host: a}}]\n"
    limited = resolved(MeshDb(document("a", routes)), "a")
    assert conditions(limited.http) == (Condition(port=80),)
    assert [condition(match) for match in limited.http[0].match] == [Condition(port=80)]
    assert not meant_for(limited.http[0].match[0], Caller(81, "shop"))
    assert conditions(resolved(MeshDb(document("a", routes + "- route: [{destination: {host: a}}]")), "a").http) == ()


def test_a_gateway_is_a_caller_too() -> None:
    """A match for gateways is met by those named."""
    asked = Condition(gateways=("shop/gw",))
    assert asked.met_by(Caller(80, "edge", gateway="shop/gw"))
    assert not asked.met_by(Caller(80, "edge"))
