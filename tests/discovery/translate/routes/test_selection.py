"""Which virtual hosts a route configuration has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.translate.routes.keys import route_scope
from discovery.translate.routes.selection import DuplicateDomain, RoutesAt, duplicate_domains, route_hosts
from tests.kit.virtual_services import document, key
from tests.kit.world import World

ROUTE = "\nhttp: [{route: [{destination: {host: x.example}}]}]"


def entry(name: str, *hosts: str, created: str = "2024-01-01T00:00:00Z") -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: shop, creationTimestamp: '{created}'}}
spec:
  hosts: [{", ".join(repr(host) for host in hosts)}]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
"""


def at(world: World, port: int = 80) -> RoutesAt:
    return RoutesAt(route_scope(world.view.outbound), 0, port)


def test_sorted_with_unknown_hosts_last() -> None:
    """By name, whatever the order of claims, and the catch-all behind them."""
    world = World(entry("z", "z.example") + entry("a", "a.example") + document("vs", "hosts: [m.example]" + ROUTE))
    assert list(route_hosts(world.db, at(world))) == ["a.example:80", "m.example:80", "z.example:80", "allow_any"]


def test_the_second_claim_of_a_host_is_told() -> None:
    """The older VirtualService has the host; the younger one is reported, and the service is not rendered twice."""
    world = World(
        entry("a", "a.example")
        + document("old", "hosts: [a.example]" + ROUTE, created="2020-01-01T00:00:00Z")
        + document("new", "hosts: [a.example]" + ROUTE)
    )
    hosts = route_hosts(world.db, at(world))
    assert hosts["a.example:80"].key.virtual_service == key("old")  # type: ignore[attr-defined]  # of a ScopedHost
    assert duplicate_domains(world.db, at(world)) == (DuplicateDomain("a.example:80", "a.example:80", key("new")),)


def test_a_virtual_service_without_routes_for_the_caller_claims_nothing() -> None:
    """The next one, or the service itself, takes its place."""
    http = "\nhttp: [{match: [{sourceLabels: {app: other}}], route: [{destination: {host: x.example}}]}]"
    world = World(entry("a", "a.example") + document("old", "hosts: [a.example, b.example]" + http))
    hosts = route_hosts(world.db, at(world))
    assert list(hosts) == ["a.example:80", "allow_any"]
    assert not hasattr(hosts["a.example:80"].key, "virtual_service")


def test_a_virtual_service_for_all_hosts_replaces_the_catch_all() -> None:
    """Envoy takes a domain once, also ``*``: what a user says of unknown hosts goes before the mesh's policy."""
    sidecar = """
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: x, namespace: default}
spec: {egress: [{port: {number: 80, protocol: HTTP, name: p}, hosts: ["*/*"]}]}
"""
    world = World(sidecar + document("all", "hosts: ['*']" + ROUTE))
    scope = route_scope(world.view.outbound)
    assert list(route_hosts(world.db, RoutesAt(scope, 0, 80))) == ["*:80"]


HOSTS = ["a.shop", "a.shop.svc", "a.shop.svc.cluster.local", "b", "*.shop", "*", "B"]


@given(st.lists(st.sampled_from(HOSTS), max_size=5, unique=True), st.lists(st.sampled_from(HOSTS), max_size=5))
def test_no_domain_occurs_twice(services: list[str], claimed: list[str]) -> None:
    """Whatever names collide, Envoy is given each domain once, on one port and on all."""
    declared = [host for host in services if host != "*"]
    text = entry("e", *declared) if declared else ""
    for number, host in enumerate(claimed):
        text += document(f"v{number}", f"hosts: ['{host}']" + ROUTE)
    world = World(text)
    for name in ("80", "http_proxy"):
        routes = world.routes().get(name)
        domains = [domain.lower() for host in routes.virtual_hosts for domain in host.domains] if routes else []
        assert len(domains) == len(set(domains))
