"""Outbound clusters by golden cases, one rule each, and the sharing of what is rendered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from discovery.translate.clusters.outbound import outbound_cluster
from discovery.wire.type_urls import CLUSTER
from tests.kit.envoy_validate import validate
from tests.kit.goldens import GoldenCase, canonical, golden_cases, orphans
from tests.kit.world import World

CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize("case", golden_cases(CASES))
def test_clusters(case: GoldenCase, update_goldens: bool) -> None:
    """What a case gives, the fixed clusters left out."""
    clusters = World(case.text()).clusters()
    case.check("clusters", canonical(c for name, c in sorted(clusters.items()) if "|" in name), update=update_goldens)


@pytest.mark.envoy
def test_envoy_takes_all(tmp_path: Path) -> None:
    """A real Envoy loads every cluster of every case."""
    resolved = World("{kind: MeshConfig, outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}}")
    taken: dict[str, Any] = resolved.clusters()
    for case in CASES.glob("*.in.yaml"):
        for name, cluster in World(case.read_text(encoding="utf-8")).clusters().items():
            cluster.name = f"{case.name}/{name}"
            taken[cluster.name] = cluster
    validate(tmp_path, (), taken.values())


def test_no_orphans() -> None:
    """Every golden has its input."""
    assert orphans(CASES, kinds=("clusters",)) == []


TWO_SERVICES = """
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

RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a, namespace: shop}
spec: {host: a, trafficPolicy: {connectionPool: {tcp: {maxConnections: %d}}}}
"""


def test_namespaces_that_see_the_same_share_clusters() -> None:
    """A second scope selects; it renders nothing anew."""
    world = World(TWO_SERVICES)
    world.rendered(CLUSTER)
    runs = world.db.runs_by_query[outbound_cluster.name]
    world.proxy = msgspec.structs.replace(world.proxy, namespace="elsewhere")
    assert len(world.rendered(CLUSTER)) == 5
    assert world.db.runs_by_query[outbound_cluster.name] == runs == 2


def test_a_rule_renders_only_its_own_service() -> None:
    """One DestinationRule changes one cluster."""
    world = World(TWO_SERVICES + "---" + RULE % 1)
    before = world.rendered(CLUSTER)
    runs = world.db.runs_by_query[outbound_cluster.name]
    world.load([yaml.safe_load(RULE % 2)])
    after = world.rendered(CLUSTER)
    assert world.db.runs_by_query[outbound_cluster.name] == runs + 1
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"outbound|80||a.shop.svc.cluster.local"}


def test_a_dns_service_without_endpoints_is_left_out() -> None:
    """Envoy would refuse an empty STRICT_DNS cluster; there is none until somebody can be resolved."""
    entry = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: x, namespace: shop}
spec:
  hosts: [x.example.com]
  resolution: DNS
  ports: [{number: 80, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: x}}
"""
    assert "outbound|80||x.example.com" not in World(entry).rendered(CLUSTER)
