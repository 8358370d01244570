"""What runs at an address, and the service ports it serves."""

from __future__ import annotations

from discovery.mesh.workloads import targets_at, workload_at
from tests.kit.world import World

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec:
  clusterIP: 10.0.0.1
  selector: {app: reviews}
  ports: [{name: http, port: 80, targetPort: web}, {name: tcp, port: 90, targetPort: 9090}]
---
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: shop, labels: {app: reviews}}
spec: {containers: [{name: c, ports: [{name: web, containerPort: 8080}]}]}
status: {podIP: 10.1.0.1}
"""
ENTRY = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm, namespace: shop}
spec: {address: 10.2.0.1, labels: {app: reviews}, ports: {web: 8000}}
"""
INLINE = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: se, namespace: shop}
spec:
  hosts: [a.example, b.example]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: [{address: 10.3.0.1, ports: {http: 8888}}]
"""


def served(text: str, address: str) -> list[tuple[str, int, int]]:
    return [(t.service.host.split(".")[0], t.port.number, t.target_port) for t in targets_at(World(text).db, address)]


def test_a_pod_serves_the_services_that_select_it() -> None:
    """At its container port where the target port is a name."""
    assert served(SERVICE + POD, "10.1.0.1") == [("reviews", 80, 8080), ("reviews", 90, 9090)]


def test_a_workload_entry_serves_likewise() -> None:
    """Named target ports come from its own ports."""
    assert served(SERVICE + ENTRY, "10.2.0.1") == [("reviews", 80, 8000), ("reviews", 90, 9090)]


def test_an_inline_endpoint_serves_all_hosts_of_its_entry() -> None:
    """One service for each host, at the endpoint's own port."""
    assert served(INLINE, "10.3.0.1") == [("a", 80, 8888), ("b", 80, 8888)]


def test_nobody_serves_at_an_unknown_address() -> None:
    """No targets, no workload."""
    world = World(SERVICE + POD)
    assert targets_at(world.db, "10.9.9.9") == ()
    assert workload_at(world.db, "10.9.9.9") is None


def test_the_workload_is_known_with_its_labels() -> None:
    """A pod before an entry at the same address."""
    found = workload_at(World(POD).db, "10.1.0.1")
    assert found is not None
    assert (found.key.name, dict(found.labels)) == ("p", {"app": "reviews"})
