"""Routes of a delegate take the place of the root's route."""

from __future__ import annotations

import pytest

from tests.kit.mesh_db import MeshDb
from tests.kit.virtual_services import document, key, resolved

ROOT = document(
    "root",
    """
hosts: [shop.example.com]
http:
- name: r
  match: [{name: m, uri: {prefix: /api}}]
  timeout: 3s
  delegate: {name: leaf, namespace: team}
- route: [{destination: {host: web}}]
""",
)


def test_delegate_takes_the_place_of_the_route_and_inherits() -> None:
    """Names are joined, matches combined, and what the delegate leaves out comes from the root."""
    mesh = MeshDb(
        ROOT
        + document(
            "leaf",
            """
http:
- name: l
  match: [{uri: {prefix: /api/v1}, headers: {x: {exact: y}}}]
  route: [{destination: {host: api}}]
- match: [{uri: {prefix: /other}}]
  route: [{destination: {host: never}}]
- timeout: 1s
  route: [{destination: {host: api}}]
""",
            namespace="team",
        )
    )
    found = resolved(mesh, "root")
    assert [route.name for route in found.http] == ["r-l", "r", ""]
    assert [route.timeout.total_seconds() if route.timeout else None for route in found.http] == [3, 1, None]
    uris = [match.uri.prefix for route in found.http for match in route.match if match.uri is not None]
    assert uris == ["/api/v1", "/api"]
    assert found.http[0].match[0].name == "m"
    to = found.http[0].route[0].destination
    assert to is not None
    assert to.host == "api.team.svc.cluster.local"
    assert found.sources == (key("root"), key("leaf", "team"))


@pytest.mark.parametrize(
    ("root", "leaf", "agree"),
    [
        ("{uri: {prefix: /a}}", "{uri: {prefix: /a/b}}", True),
        ("{uri: {prefix: /a}}", "{uri: {exact: /a/b}}", True),
        ("{uri: {prefix: /a}}", "{uri: {exact: /b}}", False),
        ("{uri: {exact: /a}}", "{uri: {exact: /a}}", True),
        ("{uri: {exact: /a}}", "{uri: {prefix: /a}}", False),
        ("{uri: {regex: '/a.*'}}", "{uri: {exact: /ab}}", False),
        ("{uri: {prefix: /a}}", "{uri: {regex: '/a.*'}}", False),
        ("{method: {exact: GET}}", "{uri: {prefix: /a}}", True),
        ("{headers: {x: {exact: a}}}", "{headers: {x: {exact: b}}}", False),
        ("{withoutHeaders: {x: {exact: a}}}", "{withoutHeaders: {y: {exact: b}}}", True),
        ("{queryParams: {x: {exact: a}}}", "{queryParams: {x: {exact: b}}}", False),
        ("{port: 80}", "{port: 81}", False),
        ("{port: 80}", "{uri: {prefix: /a}}", True),
        ("{ignoreUriCase: true}", "{uri: {prefix: /a}}", False),
        ("{sourceLabels: {a: b}}", "{sourceLabels: {a: c}}", False),
        ("{sourceNamespace: x}", "{sourceNamespace: z}", False),
        ("{gateways: [mesh]}", "{gateways: [mesh, gw]}", False),
        ("{gateways: [mesh, shop/gw]}", "{gateways: [mesh]}", True),
    ],
)
def test_delegate_routes_that_never_meet_the_root_are_left_out(root: str, leaf: str, *, agree: bool) -> None:
    """A pair of matches is kept only when the delegate's is plainly within the root's."""
    mesh = MeshDb(
        document("root", f"hosts: [a]\nhttp: [{{match: [{root}], delegate: {{name: leaf}}}}]")
        + document("leaf", f"http: [{{match: [{leaf}], route: [{{destination: {{host: a}}}}]}}]")
    )
    assert bool(resolved(mesh, "root").http) is agree


@pytest.mark.parametrize(
    "leaf",
    [
        "http: [{route: [{destination: {host: a}}]}]\nexportTo: ['.']",  # hidden from the root
        "hosts: [x]\nhttp: [{route: [{destination: {host: a}}]}]",  # has hosts: no delegate
        "http: [{delegate: {name: root, namespace: shop}}]",  # delegates itself
    ],
)
def test_unusable_delegates_drop_only_their_route(leaf: str) -> None:
    """A delegate that is hidden, no delegate, or delegates on gives no routes; the root's others stay."""
    mesh = MeshDb(ROOT + document("leaf", leaf, namespace="team"))
    assert len(resolved(mesh, "root").http) == 1


def test_a_delegate_that_appears_later_is_noticed() -> None:
    """The root depends on an object that is not there yet."""
    mesh = MeshDb(ROOT)
    assert len(resolved(mesh, "root").http) == 1
    mesh.apply(document("leaf", "http: [{route: [{destination: {host: a}}]}]", namespace="team"))
    assert len(resolved(mesh, "root").http) == 2
