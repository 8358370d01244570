"""Routes of a VirtualService, in order."""

from __future__ import annotations

from discovery.mesh.callers import Caller
from discovery.translate.routes.action import Defaults, Target, patience
from discovery.translate.routes.routes import destinations, virtual_service_routes
from discovery.wire.envoy import Route
from tests.kit.mesh_db import MeshDb
from tests.kit.virtual_services import document, resolved

DEFAULTS = Defaults(None, patience(retries=None))


def routes(http: str, caller: Caller = Caller(80, "shop")) -> list[Route]:  # noqa: B008 - frozen
    found = resolved(MeshDb(document("vs", f"hosts: [a]\nhttp:\n{http}")), "vs")
    targets = {to: Target(f"outbound|80||{to.host}", f"{to.host}:80") for to in destinations(found)}
    return [Route.FromString(route) for route in virtual_service_routes(found, caller, targets, DEFAULTS)]


def test_a_route_for_each_match() -> None:
    """Names are joined; what is common to the matches is in each of them."""
    built = routes(
        "- name: r\n  match: [{name: m, uri: {exact: /a}}, {uri: {exact: /b}}]\n  route: [{destination: {host: x}}]"
    )
    assert [route.name for route in built] == ["r.m", "r"]
    assert [route.route.cluster for route in built] == ["outbound|80||x.shop.svc.cluster.local"] * 2
    origin = "/apis/networking.istio.io/v1/namespaces/shop/virtual-service/vs"
    assert {route.metadata.filter_metadata["istio"].fields["config"].string_value for route in built} == {origin}


def test_nothing_comes_after_a_catch_all() -> None:
    """Routes that could never be reached are left out, matches of the same route too."""
    to = "route: [{destination: {host: x}}]"
    built = routes(f"- {{name: a, match: [{{}}, {{uri: {{exact: /b}}}}], {to}}}\n- {{name: c, {to}}}")
    assert [route.name for route in built] == ["a"]


def test_what_is_not_meant_for_the_caller_is_left_out() -> None:
    """A route none of whose matches is for the caller gives nothing, the next one counts."""
    http = (
        "- {name: a, match: [{port: 81}], route: [{destination: {host: x}}]}\n"
        "- {name: b, route: [{destination: {host: x}}]}"
    )
    assert [route.name for route in routes(http)] == ["b"]
    assert [route.name for route in routes(http, Caller(81, "shop"))] == ["a"]


def test_headers_apply_to_answers_too() -> None:
    """Header operations of a route are not only for requests that are forwarded."""
    (route,) = routes("- {directResponse: {status: 204}, headers: {response: {set: {x: y}}}}")
    assert route.direct_response.status == 204
    assert route.response_headers_to_add[0].header.key == "x"


def test_traces_name_the_destination_or_the_virtual_service() -> None:
    """One destination is named by host and port; several, and answers, go by the VirtualService."""
    one = routes("- route: [{destination: {host: x.example}}]")
    two = routes("- route: [{destination: {host: x.example}, weight: 1}, {destination: {host: y.example}, weight: 1}]")
    answer = routes("- redirect: {uri: /x}")
    assert [route.decorator.operation for route in (*one, *two, *answer)] == ["x.example:80/*", "vs:80/*", "vs:80/*"]


def test_nowhere_to_go_is_an_open_failure() -> None:
    """A route without destination is answered with 500 instead of falling through to the next."""
    (route,) = routes("- {headers: {}}")
    assert route.direct_response.status == 500


def test_destinations_are_of_routes_and_mirrors() -> None:
    """Everything that needs a cluster is listed."""
    http = """
- route: [{destination: {host: a.x}}]
  mirror: {host: b.x}
- route: [{destination: {host: c.x}}]
  mirrors: [{destination: {host: d.x}}]
"""
    found = resolved(MeshDb(document("vs", f"hosts: [a]\nhttp:{http}")), "vs")
    assert {to.host for to in destinations(found)} == {"a.x", "b.x", "c.x", "d.x"}
