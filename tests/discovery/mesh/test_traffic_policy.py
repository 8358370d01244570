"""How policies of a destination, its ports, its subsets and the mesh combine."""

from __future__ import annotations

import pytest

from discovery.mesh.destination_rules import PolicyFor, traffic_policy
from discovery.schema.destination_rule import ConnectionPoolSettings, SimpleLB, TCPSettings
from discovery.schema.mesh_config import DefaultTrafficPolicy, MeshConfig
from tests.kit.destination_rules import REVIEWS, document
from tests.kit.mesh_db import MeshDb

POLICY = """
trafficPolicy:
  loadBalancer: {simple: RANDOM}
  tunnel: {targetHost: x, targetPort: 1}
  connectionPool: {tcp: {maxConnections: 1}}
  portLevelSettings:
  - {port: {number: 81}, tls: {mode: SIMPLE}}
subsets:
- name: v1
  trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}
- name: v2
  trafficPolicy:
    loadBalancer: {simple: ROUND_ROBIN}
    portLevelSettings:
    - {port: {number: 80}, outlierDetection: {interval: 5s}}
"""


@pytest.mark.parametrize(
    ("port", "subset", "lb", "pool", "tls", "outlier"),
    [
        (80, "", SimpleLB.RANDOM, True, False, False),
        (81, "", None, False, True, False),  # a port's policy inherits nothing
        (80, "v1", SimpleLB.ROUND_ROBIN, True, False, False),
        (81, "v1", SimpleLB.ROUND_ROBIN, False, True, False),
        (80, "v2", None, False, False, True),
        (80, "unknown", SimpleLB.RANDOM, True, False, False),
    ],
)
def test_effective_policy(port: int, subset: str, lb: SimpleLB | None, *, pool: bool, tls: bool, outlier: bool) -> None:
    """Port level replaces the four groups, a subset overlays what it sets, its own port level replaces again."""
    policy = traffic_policy(MeshDb(document("a", POLICY)).db, PolicyFor("web", REVIEWS, port, subset))
    assert policy is not None
    assert (policy.load_balancer.simple if policy.load_balancer else None) == lb
    assert (policy.connection_pool is not None, policy.tls is not None) == (pool, tls)
    assert (policy.outlier_detection is not None) is outlier
    assert policy.tunnel is not None
    assert policy.port_level_settings == ()


def test_mesh_policy_fills_gaps() -> None:
    """``defaultTrafficPolicy`` applies where no rule does, and where a rule leaves a group out."""
    pool = ConnectionPoolSettings(tcp=TCPSettings(max_connections=7))
    settings = MeshConfig(default_traffic_policy=DefaultTrafficPolicy(connection_pool=pool))
    alone = traffic_policy(MeshDb(mesh=settings).db, PolicyFor("web", REVIEWS, 80))
    assert alone is not None
    assert alone.connection_pool == pool
    mesh = MeshDb(document("a", POLICY), mesh=settings)
    own = traffic_policy(mesh.db, PolicyFor("web", REVIEWS, 80))
    filled = traffic_policy(mesh.db, PolicyFor("web", REVIEWS, 81))
    assert own is not None
    assert filled is not None
    assert own.connection_pool != pool
    assert filled.connection_pool == pool
    assert traffic_policy(MeshDb().db, PolicyFor("web", REVIEWS, 80)) is None
