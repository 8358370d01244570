"""What an egress listener imports, by host."""

from __future__ import annotations

import yaml

from discovery.mesh.proxy import ScopeKey
from discovery.translate.routes.hosts import EgressHosts, ListenerAt, egress_hosts
from tests.kit.virtual_services import document
from tests.kit.world import World

SCOPE = ScopeKey("shop", None)


def service(name: str, spec: str, namespace: str = "shop") -> str:
    return f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"


def hosts(text: str) -> EgressHosts:
    return egress_hosts(World(text).db, ListenerAt(SCOPE, 0))


def test_services_by_port() -> None:
    """Each port has its services; only HTTP and undeclared protocols have routes."""
    found = hosts(service("a", "{clusterIP: 10.0.0.1, ports: [{port: 80, name: http}, {port: 81, name: tcp}]}"))
    assert {port: [s.has_routes for s in services.values()] for port, services in found.by_port.items()} == {
        80: [True],
        81: [False],
    }


def test_aliases_end_at_a_service() -> None:
    """Aliases of aliases belong to the service at the end; circles to nobody; an alias has no ports of its own."""
    external = "{type: ExternalName, externalName: %s.shop.svc.cluster.local, ports: [{port: 80, name: http}]}"
    found = hosts(
        service("a", "{clusterIP: 10.0.0.1, ports: [{port: 80, name: http}]}")
        + service("b", external % "a")
        + service("c", external % "b")
        + service("d", external % "e")
        + service("e", external % "d")
    )
    aliases = {host: [names.host for names in others] for host, others in found.aliases.items()}
    assert aliases == {"a.shop.svc.cluster.local": ["b.shop.svc.cluster.local", "c.shop.svc.cluster.local"]}
    assert list(found.by_port[80]) == ["a.shop.svc.cluster.local"]


def test_claims() -> None:
    """Exact names keep all who name them, in order; a wildcard belongs to the oldest; TCP rules claim no routes."""
    http = "\nhttp: [{route: [{destination: {host: a}}]}]"
    found = hosts(
        service("a", "{clusterIP: 10.0.0.1, ports: [{port: 80, name: http}]}")
        + service("b", "{clusterIP: 10.0.0.2, ports: [{port: 80, name: http}]}")
        + document("new", "hosts: [a, '*.local']" + http, created="2024-01-02T00:00:00Z")
        + document("old", "hosts: [a, '*.local']" + http, created="2024-01-01T00:00:00Z")
        + document("private", "hosts: ['*.local']\nexportTo: ['.']" + http, created="2024-01-03T00:00:00Z")
        + document("tcp", "hosts: [a]\ntcp: [{route: [{destination: {host: a}}]}]")
    )
    names = [header.key.name for header in found.virtual_services]
    assert names == ["private", "old", "new"]
    assert found.exact == {"a.shop.svc.cluster.local": (1, 2)}
    assert found.wildcards == {"*.local": 1}
    assert found.best_wildcard == {"b.shop.svc.cluster.local": "*.local"}


def test_no_such_listener() -> None:
    """A listener that is gone imports nothing."""
    assert egress_hosts(World().db, ListenerAt(SCOPE, 3)) == EgressHosts()


def test_changes_that_routes_do_not_show_stop_here() -> None:
    """Labels of a service are nothing to its hosts."""
    world = World(service("a", "{clusterIP: 10.0.0.1, ports: [{port: 80, name: http}]}"))
    egress_hosts(world.db, ListenerAt(SCOPE, 0))
    world.db.runs_by_query.clear()
    more = service("a", "{clusterIP: 10.0.0.1, selector: {x: y}, ports: [{port: 80, name: http}]}")
    world.load(yaml.safe_load_all(more))
    egress_hosts(world.db, ListenerAt(SCOPE, 0))
    assert world.db.runs_by_query["_facts"] == 1
    assert world.db.runs_by_query["_arranged"] == 0
