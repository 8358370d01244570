"""Names, delegates, headers and visibility of VirtualServices."""

from __future__ import annotations

import pytest

from discovery.mesh.callers import Caller
from discovery.mesh.virtual_services import (
    ResolvedVirtualService,
    virtual_service,
    virtual_service_header,
    virtual_services_for,
)
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Kind, ObjectKey
from tests.kit.mesh_db import MeshDb


def key(name: str, namespace: str = "shop") -> ObjectKey:
    return ObjectKey(Kind.VIRTUAL_SERVICE, namespace, name)


def document(name: str, spec: str, *, namespace: str = "shop", created: str = "2024-01-01T00:00:00Z") -> str:
    body = "\n".join("  " + line for line in spec.strip().splitlines())
    return (
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n"
        f"metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: '{created}'}}\nspec:\n{body}\n"
    )


def resolved(mesh: MeshDb, name: str, namespace: str = "shop") -> ResolvedVirtualService:
    found = virtual_service(mesh.db, key(name, namespace))
    assert found is not None
    return found


def test_short_host_names_are_expanded_in_the_namespace_of_the_object() -> None:
    """Hosts and destinations without a dot or wildcard get the namespace and the cluster's domain; case is folded."""
    mesh = MeshDb(
        document(
            "a",
            """
hosts: [Reviews, reviews.other, "*.example.com", "*"]
http:
- route: [{destination: {host: Reviews, subset: v1}}]
  mirrors: [{destination: {host: shadow}}]
tcp:
- route: [{destination: {host: db}}]
tls:
- match: [{sniHosts: [db.example.com]}]
  route: [{destination: {host: db.example.com}}]
""",
        ),
        domain="mesh.test",
    )
    found = resolved(mesh, "a")
    assert found.hosts == ("reviews.shop.svc.mesh.test", "reviews.other", "*.example.com", "*")
    to = found.http[0].route[0].destination
    assert to is not None
    assert (to.host, to.subset) == ("reviews.shop.svc.mesh.test", "v1")
    assert found.http[0].mirrors[0].destination is not None
    assert found.http[0].mirrors[0].destination.host == "shadow.shop.svc.mesh.test"
    header = virtual_service_header(mesh.db, key("a"))
    assert header is not None
    assert header.destinations == (
        "db.example.com",
        "db.shop.svc.mesh.test",
        "reviews.shop.svc.mesh.test",
        "shadow.shop.svc.mesh.test",
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("mesh", "mesh"),
        ("gw", "shop/gw"),
        ("./gw", "shop/gw"),
        ("edge/gw", "edge/gw"),
        ("gw.edge", "edge/gw"),
        ("gw.edge.svc.cluster.local", "edge/gw"),
    ],
)
def test_gateway_names_are_qualified(written: str, meant: str) -> None:
    """Every way to write a gateway means ``namespace/name``, but for the reserved word ``mesh``."""
    mesh = MeshDb(document("a", f"hosts: [a]\ngateways: ['{written}']"))
    assert resolved(mesh, "a").gateways == (meant,)


def test_no_gateways_means_all_sidecars() -> None:
    """A VirtualService without gateways is bound to ``mesh``."""
    assert resolved(MeshDb(document("a", "hosts: [a]")), "a").gateways == ("mesh",)


def test_missing_object_is_none() -> None:
    """What is not there is None, not an error."""
    mesh = MeshDb()
    assert virtual_service(mesh.db, key("a")) is None
    assert virtual_service_header(mesh.db, key("a")) is None


def test_visibility_is_private_then_exported_then_public_each_oldest_first() -> None:
    """The order in which VirtualServices of one namespace claim hosts."""
    mesh = MeshDb(
        document("public-new", "hosts: [a]", created="2023-01-01T00:00:00Z")
        + document("public-old", "hosts: [a]", namespace="other", created="2021-01-01T00:00:00Z")
        + document("private", "hosts: [a]\nexportTo: ['.']", created="2024-01-01T00:00:00Z")
        + document("named", "hosts: [a]\nexportTo: [shop, third]", created="2020-01-01T00:00:00Z")
        + document("given", "hosts: [a]\nexportTo: [shop]", namespace="other", created="2022-01-01T00:00:00Z")
        + document("nobody", "hosts: [a]\nexportTo: ['~']")
        + document("gateway-only", "hosts: [a]\ngateways: [gw]")
        + document("delegate", "http: [{route: [{destination: {host: a}}]}]")
    )
    names = [found.name for found in virtual_services_for(mesh.db, "shop")]
    assert names == ["named", "private", "given", "public-old", "public-new"]
    assert [found.name for found in virtual_services_for(mesh.db, "third")] == ["named", "public-old", "public-new"]
    assert [found.name for found in virtual_services_for(mesh.db, "else")] == ["public-old", "public-new"]


def test_mesh_default_export_applies_where_nothing_is_written() -> None:
    """``defaultVirtualServiceExportTo: ["."]`` makes everything private."""
    mesh = MeshDb(document("a", "hosts: [a]"), mesh=MeshConfig(default_virtual_service_export_to=(".",)))
    assert [found.name for found in virtual_services_for(mesh.db, "shop")] == ["a"]
    assert virtual_services_for(mesh.db, "other") == ()


def test_a_route_edit_stops_at_the_header() -> None:
    """Weights, timeouts and the like do not reach selection: the list of VirtualServices is not computed again."""
    text = document("a", "hosts: [a]\nhttp: [{timeout: %s, route: [{destination: {host: a}}]}]")
    mesh = MeshDb("".join(document(f"v{n}", "hosts: [b]") for n in range(20)) + text % "1s")
    virtual_services_for(mesh.db, "shop")
    before = virtual_service_header(mesh.db, key("a"))
    mesh.db.runs_by_query.clear()
    mesh.apply(text % "2s")
    virtual_services_for(mesh.db, "shop")
    assert mesh.db.runs_by_query == {"_listing": 1}
    assert virtual_service_header(mesh.db, key("a")) == before
    assert resolved(mesh, "a").http[0].timeout != mesh.db  # the routes themselves did change
    assert mesh.db.runs_by_query["virtual_service"] == 1


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


# -- delegation ------------------------------------------------------------------------------------------------------

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
