"""From type URLs to tables."""

from __future__ import annotations

import pytest

from discovery.translate.generators import MeshGenerators
from discovery.wire.envoy import ClusterLoadAssignment, RouteConfiguration
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, PROXY_CONFIG, ROUTE, SECRET, VIRTUAL_HOST
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
