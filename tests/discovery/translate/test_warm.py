"""Selecting ahead: the first sidecar finds its indexes ready, and nothing was rendered for nobody."""

from __future__ import annotations

import msgspec

from discovery.translate.warm import warm_tables
from discovery.wire.type_urls import CLUSTER, ENDPOINT
from tests.kit.world import DEFAULT_PROXY, World

SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: a, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: b, namespace: web}
spec: {clusterIP: 10.0.0.2, ports: [{name: http, port: 80}]}
"""


def test_the_first_sidecar_finds_its_selection_made() -> None:
    """Indexes do not run again for it; resources are rendered only now."""
    world = World(SERVICES)
    assert warm_tables(world.db, world.generators) == 2
    warmed = world.db.runs_by_query.copy()
    assert warmed["outbound_cluster"] == warmed["load_assignment"] == 0
    world.proxy = msgspec.structs.replace(
        DEFAULT_PROXY, namespace="shop", dns_domain="shop.svc.cluster.local", vhds=True
    )
    world.rendered(CLUSTER)
    world.rendered(ENDPOINT)
    ran = world.db.runs_by_query - warmed
    assert ran["outbound_cluster_index"] == ran["endpoint_index"] == ran["scope_clusters"] == 0
    assert ran["outbound_cluster"] == ran["load_assignment"] == 2


def test_it_stops_after_so_many_namespaces() -> None:
    """A start must not take minutes for namespaces that may have no proxy."""
    world = World(SERVICES)
    assert warm_tables(world.db, world.generators, most=1) == 1


def test_an_empty_mesh_is_warm() -> None:
    """Nothing to do."""
    world = World()
    assert warm_tables(world.db, world.generators) == 0
