"""Names, delegates, headers and visibility of VirtualServices."""

from __future__ import annotations

from datetime import timedelta

from discovery.mesh.virtual_services import (
    virtual_service,
    virtual_service_header,
    virtual_services_for,
)
from discovery.schema.mesh_config import MeshConfig
from tests.kit.mesh_db import MeshDb
from tests.kit.virtual_services import document, key, resolved


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


def test_no_gateways_means_all_sidecars() -> None:
    """A VirtualService without gateways is bound to ``mesh``."""
    assert resolved(MeshDb(document("a", "hosts: [a]")), "a").gateways == ("mesh",)


def test_the_header_names_the_labels_that_any_route_asks_for() -> None:
    """A proxy's other labels cannot change its routes; those of TLS and TCP routes count as those of HTTP."""
    mesh = MeshDb(
        document(
            "a",
            """
hosts: [a]
http:
- match: [{sourceLabels: {web: x}}]
  route: [{destination: {host: a}}]
tls:
- match: [{sniHosts: [a], sourceLabels: {secure: x}}]
  route: [{destination: {host: a}}]
tcp:
- match: [{sourceLabels: {plain: x}}]
  route: [{destination: {host: a}}]
""",
        )
    )
    header = virtual_service_header(mesh.db, key("a"))
    assert header is not None
    assert header.source_label_keys == {"web", "secure", "plain"}


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
    assert resolved(mesh, "a").http[0].timeout == timedelta(seconds=2)
    assert mesh.db.runs_by_query["virtual_service"] == 1
