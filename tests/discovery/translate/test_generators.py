"""From type URLs to tables."""

from __future__ import annotations

import pytest

from discovery.schema.meta import Kind
from discovery.store.state import ObjectChange
from discovery.translate.generators import MeshGenerators
from discovery.wire.envoy import ClusterLoadAssignment, RouteConfiguration
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, PROXY_CONFIG, ROUTE, SECRET, VIRTUAL_HOST
from tests.kit.mesh_db import parse
from tests.kit.world import World

GENERATORS = MeshGenerators()


@pytest.mark.parametrize(
    ("type_url", "count"), [(CLUSTER, 2), (LISTENER, 2), (ENDPOINT, 1), (ROUTE, 1), (PROXY_CONFIG, 1), (SECRET, 0)]
)
def test_tables_of_a_type(type_url: str, count: int) -> None:
    """Outbound and inbound apart, so that proxies share the former; a type that is not served has none."""
    tables = GENERATORS.tables(type_url, World().view, frozenset())
    assert [table.type_url for table in tables] == [type_url] * count


def test_virtual_hosts_follow_the_routes() -> None:
    """One table for each route configuration that the proxy watches."""
    tables = GENERATORS.tables(VIRTUAL_HOST, World().view, frozenset({"80", "9080"}))
    assert len(set(tables)) == 2
    assert GENERATORS.tables(VIRTUAL_HOST, World().view, frozenset()) == ()


GATEWAY_API = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: web, namespace: default}}
spec: {{hostnames: [{host}], parentRefs: [{{group: "", kind: Service, name: web}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {{name: web, namespace: default}}
spec: {{from: [{{group: "", kind: {host}, namespace: a}}], to: [{{group: "", kind: Service}}]}}
"""


def test_the_gateway_api_costs_proxies_nothing() -> None:
    """Nothing that is rendered has read its objects, not even which there are: no query runs, and no commit is told."""
    web = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}"
    world = World(web)
    types = (CLUSTER, LISTENER, ENDPOINT, ROUTE)
    before = [world.rendered(type_url) for type_url in types]
    for table in tuple(world.db.tables.values()):
        for node in tuple(table.values()):
            world.db.observe(node)
    runs = world.db.stats().runs
    told = []
    for host in ("a", "b"):
        changes = [ObjectChange(obj.key, obj) for obj in parse(GATEWAY_API.format(host=host))]
        told.append(world.store.apply(changes))
    told.append(world.store.apply([ObjectChange(change.key, None) for change in changes]))
    assert [done.kinds for done in told] == [frozenset({Kind.HTTP_ROUTE, Kind.REFERENCE_GRANT})] * 3
    assert [done.commit.touched for done in told] == [()] * 3
    assert [world.rendered(type_url) for type_url in types] == before
    assert world.db.stats().runs == runs
    assert world.store.apply([ObjectChange(obj.key, obj) for obj in parse(web.replace("80", "81"))]).commit.touched


def test_unknown_names_get_an_empty_answer() -> None:
    """Envoy waits for endpoints and routes that it asked for; for other types silence is an answer."""
    world = World()
    assignment = GENERATORS.fallback(world.db, ENDPOINT, world.view, "x")
    route = GENERATORS.fallback(world.db, ROUTE, world.view, "x")
    assert assignment is not None
    assert route is not None
    assert ClusterLoadAssignment.FromString(assignment.value) == ClusterLoadAssignment(cluster_name="x")
    assert not RouteConfiguration.FromString(route.value).virtual_hosts
    assert GENERATORS.fallback(world.db, CLUSTER, world.view, "x") is None
