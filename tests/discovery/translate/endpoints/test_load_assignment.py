"""Load assignments by golden cases, and what a change of one endpoint costs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from discovery.translate.endpoints.load_assignment import empty_assignment, load_assignment
from discovery.wire.envoy import ClusterLoadAssignment
from discovery.wire.type_urls import CLUSTER, ENDPOINT
from tests.kit.goldens import GoldenCase, canonical, golden_cases, orphans
from tests.kit.world import World

CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize("case", golden_cases(CASES))
def test_assignments(case: GoldenCase, update_goldens: bool) -> None:
    """What a case gives."""
    found = World(case.text()).resources(ENDPOINT)
    case.check("endpoints", canonical(message for _, message in sorted(found.items())), update=update_goldens)


def test_no_orphans() -> None:
    """Every golden has its input."""
    assert orphans(CASES, kinds=("endpoints",)) == []


def entry(name: str, *addresses: str) -> str:
    endpoints = "".join(f"\n  - {{address: {address}}}" for address in addresses)
    return f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: shop}}
spec:
  hosts: [{name}.example]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP}}]
  endpoints:{endpoints}
"""


def test_one_endpoint_change_renders_one_assignment() -> None:
    """The other assignments, and every cluster, stay as they are without running."""
    world = World(entry("a", "1.1.1.1", "1.1.1.2") + "---" + entry("b", "2.2.2.2"))
    world.rendered(CLUSTER), world.rendered(ENDPOINT)
    before = world.db.runs_by_query.copy()
    world.load([yaml.safe_load(entry("a", "1.1.1.1"))])
    world.rendered(CLUSTER), world.rendered(ENDPOINT)
    ran = world.db.runs_by_query - before
    assert ran[load_assignment.name] == 1
    assert ran["outbound_cluster"] == ran["endpoint_index"] == ran["outbound_cluster_index"] == 0


def test_an_empty_assignment_has_only_its_name() -> None:
    """So that Envoy stops waiting for a cluster that nobody knows."""
    message = ClusterLoadAssignment.FromString(empty_assignment("outbound|80||gone").value)
    assert (message.cluster_name, len(message.endpoints)) == ("outbound|80||gone", 0)
