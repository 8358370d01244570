"""Where the endpoints of a service come from."""

from __future__ import annotations

import yaml

from discovery.mesh.endpoints import ServicePort, endpoints, pending_pods, service_accounts
from discovery.registry.service import ServiceRef
from discovery.schema.mesh_config import MeshConfig
from discovery.store.cells import CLUSTER, ClusterFacts
from tests.kit.world import World

REVIEWS = ServiceRef("reviews.shop.svc.cluster.local", "shop")
VM = ServiceRef("vm.example", "shop")

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {clusterIP: 10.0.0.1, selector: {app: reviews}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: reviews-1, namespace: shop, labels: {kubernetes.io/service-name: reviews}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: [10.1.0.1], targetRef: {kind: Pod, name: p1, namespace: shop}}
- {addresses: [10.1.0.2], targetRef: {kind: Pod, name: p2, namespace: shop}}
"""
POD = """---
apiVersion: v1
kind: Pod
metadata: {name: p1, namespace: shop, labels: {app: reviews}}
spec: {serviceAccountName: reviews, containers: []}
status: {podIP: 10.1.0.1}
"""
ENTRY = """---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm, namespace: shop}
spec: {address: 10.2.0.1, labels: {app: reviews}, serviceAccount: vm}
"""
VM_SERVICE = """---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: vm, namespace: shop}
spec:
  hosts: [vm.example]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8000}]
  workloadSelector: {labels: {app: reviews}}
"""


def addresses(world: World, ref: ServiceRef = REVIEWS) -> list[str]:
    return [f"{e.address}:{e.port}" for e in endpoints(world.db, ServicePort(ref, 80))]


def test_slices_give_endpoints() -> None:
    """Where nobody writes Pods, endpoints are served as the slice has them."""
    assert addresses(World(SERVICE)) == ["10.1.0.1:8080", "10.1.0.2:8080"]


def test_an_endpoint_waits_for_its_pod() -> None:
    """Where Pods are written, their identity and labels matter; the others are served meanwhile."""
    world = World(SERVICE + POD)
    assert addresses(world) == ["10.1.0.1:8080"]
    assert [key.name for key in pending_pods(world.db, REVIEWS)] == ["p2"]


def test_with_a_cluster_every_endpoint_waits_for_its_pod() -> None:
    """An API server tells of slices and Pods in any order: before the first Pod of a namespace is there, too."""
    world = World(SERVICE)
    world.db.commit([(CLUSTER, None, ClusterFacts(has_pods=True))])
    assert addresses(world) == []
    assert [key.name for key in pending_pods(world.db, REVIEWS)] == ["p1", "p2"]
    world.load(yaml.safe_load_all(POD))
    assert addresses(world) == ["10.1.0.1:8080"]
    (endpoint,) = endpoints(world.db, ServicePort(REVIEWS, 80))
    assert endpoint.service_account == "spiffe://cluster.local/ns/shop/sa/reviews"


def test_labels_of_a_node_move_the_endpoints_on_it() -> None:
    """They may come after the Pod, which may come after the slice."""
    world = World(SERVICE + POD.replace("containers: []", "containers: [], nodeName: n1"))
    region, zone = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"
    for where in ("z1", "z2"):
        metadata = {"name": "n1", "labels": {region: "r", zone: where}}
        world.load([{"apiVersion": "v1", "kind": "Node", "metadata": metadata}])
        assert [endpoint.locality for endpoint in endpoints(world.db, ServicePort(REVIEWS, 80))] == [f"r/{where}"]


def test_workload_entries_join_kubernetes_services() -> None:
    """A Service selects VMs as it selects pods."""
    assert addresses(World(SERVICE + ENTRY)) == ["10.1.0.1:8080", "10.1.0.2:8080", "10.2.0.1:8080"]


def test_service_entries_select_entries_and_pods() -> None:
    """Both kinds of workload, at the entry's target port."""
    assert addresses(World(ENTRY.removeprefix("---") + POD + VM_SERVICE), VM) == ["10.2.0.1:8000", "10.1.0.1:8000"]


def test_accounts_are_those_of_endpoints_for_all_trust_domains() -> None:
    """What a client may meet behind a service."""
    world = World(SERVICE + POD + ENTRY)
    assert service_accounts(world.db, REVIEWS) == (
        "spiffe://cluster.local/ns/shop/sa/reviews",
        "spiffe://cluster.local/ns/shop/sa/vm",
    )
    world.store.set_mesh(MeshConfig(trust_domain="new", trust_domain_aliases=("old",)))
    assert service_accounts(world.db, REVIEWS) == (
        "spiffe://new/ns/shop/sa/reviews",
        "spiffe://new/ns/shop/sa/vm",
        "spiffe://old/ns/shop/sa/reviews",
        "spiffe://old/ns/shop/sa/vm",
    )


def test_an_entry_that_falls_ill_leaves_the_endpoints_and_stays_trusted() -> None:
    """A machine that comes and goes with its health must not change clusters, which say whom they trust."""
    ill = "  annotations: {proxy.istio.io/health-checks-enabled: 'true'}\n"
    entry = ENTRY.replace("{name: vm, namespace: shop}", "\n  name: vm\n  namespace: shop\n" + ill.rstrip())
    well = entry + "status: {conditions: [{type: Healthy, status: 'True'}]}\n"
    world = World(VM_SERVICE.removeprefix("---") + well)
    assert addresses(world, VM) == ["10.2.0.1:8000"]
    world.load(yaml.load_all(entry, yaml.CSafeLoader))
    assert addresses(world, VM) == []
    assert service_accounts(world.db, VM) == ("spiffe://cluster.local/ns/shop/sa/vm",)
