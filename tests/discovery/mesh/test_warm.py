"""What is computed before the first proxy comes."""

from __future__ import annotations

from discovery.mesh.endpoints import service_endpoints
from discovery.mesh.warm import warm_selection
from tests.kit.world import World

TWO = """
apiVersion: v1
kind: Service
metadata: {name: a, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: b, namespace: shop}
spec: {clusterIP: 10.0.0.2, ports: [{name: http, port: 80}]}
"""


def test_endpoints_of_every_service_are_ready() -> None:
    """The first proxy finds them, as every later one does."""
    world = World(TWO)
    assert warm_selection(world.db) == 2
    runs = world.db.runs_by_query[service_endpoints.name]
    world.clusters()
    assert world.db.runs_by_query[service_endpoints.name] == runs == 2
