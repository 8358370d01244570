"""Load assignments by golden cases, and what a change of one endpoint costs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from discovery.store.cells import CLUSTER as CLUSTER_FACTS
from discovery.store.cells import ClusterFacts
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


DUAL = """
kind: Proxy
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIPs: [10.0.0.1, "fd00::a"], ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-0, namespace: shop}
spec: {containers: [{name: c}]}
status: {podIP: 10.1.0.1, podIPs: [{ip: 10.1.0.1}, {ip: "fd00::1"}]}
"""


def slice_of(family: str, address: str) -> str:
    return f"""
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-{family.lower()}, namespace: shop, labels: {{kubernetes.io/service-name: web}}}}
addressType: {family}
ports: [{{name: http, port: 8080}}]
endpoints: [{{addresses: ["{address}"], targetRef: {{kind: Pod, name: web-0, namespace: shop}}}}]
"""


@pytest.mark.parametrize("dual", [False, True])
def test_a_pod_of_two_families(dual: bool) -> None:
    """One endpoint with both addresses and the weight of one, where that is wanted; else two endpoints."""
    world = World(DUAL + slice_of("IPv4", "10.1.0.1") + slice_of("IPv6", "fd00::1"))
    world.db.commit([(CLUSTER_FACTS, None, ClusterFacts(dual_stack=dual))])
    (message,) = (found for _, found in world.resources(ENDPOINT).items())
    assert isinstance(message, ClusterLoadAssignment)
    (locality,) = message.endpoints
    written = [
        [
            entry.endpoint.address.socket_address.address,
            *(more.address.socket_address.address for more in entry.endpoint.additional_addresses),
        ]
        for entry in locality.lb_endpoints
    ]
    assert written == ([["10.1.0.1", "fd00::1"]] if dual else [["10.1.0.1"], ["fd00::1"]])
    assert locality.load_balancing_weight.value == len(written)


def test_an_empty_assignment_has_only_its_name() -> None:
    """So that Envoy stops waiting for a cluster that nobody knows."""
    message = ClusterLoadAssignment.FromString(empty_assignment("outbound|80||gone").value)
    assert (message.cluster_name, len(message.endpoints)) == ("outbound|80||gone", 0)


def test_weights_that_envoy_cannot_add_up_keep_their_proportions() -> None:
    """It refuses an assignment, and all that come with it, whose weights are more than 2**32 - 1 together."""
    limit = 2**32 - 1
    text = entry("a", "1.1.1.1, weight: 4294967295", "1.1.1.2, weight: 2147483648", "1.1.1.3, locality: eu/a")
    (message,) = World(text).resources(ENDPOINT).values()
    assert isinstance(message, ClusterLoadAssignment)
    weights = {
        member.endpoint.address.socket_address.address: member.load_balancing_weight.value
        for place in message.endpoints
        for member in place.lb_endpoints
    }
    assert sum(weights.values()) <= limit
    assert weights["1.1.1.1"] == pytest.approx(2 * weights["1.1.1.2"], rel=0.001)
    assert weights["1.1.1.3"] == 1
    assert sorted(place.load_balancing_weight.value for place in message.endpoints) == [
        1,
        weights["1.1.1.1"] + weights["1.1.1.2"],
    ]
