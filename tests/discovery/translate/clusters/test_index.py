"""Which clusters a proxy is served."""

from __future__ import annotations

import pytest

from discovery.translate.clusters.index import inbound_cluster_index, outbound_cluster_index
from discovery.wire.node import InterceptionMode
from tests.kit.world import World

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: a, namespace: default}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: a-1, namespace: default, labels: {kubernetes.io/service-name: a}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.9.9.9]}]
"""
INGRESS = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: s, namespace: default}
spec: {ingress: [{port: {number: 9000, protocol: HTTP, name: x}, defaultEndpoint: "%s"}]}
"""


def test_outbound_clusters_and_the_fixed_ones() -> None:
    """Sidecars get the pass-throughs; routers have nothing to pass through."""
    fixed = {"BlackHoleCluster", "PassthroughCluster", "InboundPassthroughCluster"}
    world = World(SERVICE)
    assert outbound_cluster_index(world.db, world.view.outbound).keys() == fixed | {
        "outbound|80||a.default.svc.cluster.local"
    }
    router = World(SERVICE + "---\n{kind: Proxy, type: router}")
    assert fixed & outbound_cluster_index(router.db, router.view.outbound).keys() == {"BlackHoleCluster"}
    assert inbound_cluster_index(router.db, router.view.inbound) == {}


def test_own_ports() -> None:
    """The ports that services send to; where nothing is captured a Sidecar has to name them."""
    world = World(SERVICE)
    assert list(inbound_cluster_index(world.db, world.view.inbound)) == ["inbound|8080||"]
    uncaptured = World(SERVICE + f"---\n{{kind: Proxy, interception: {InterceptionMode.NONE}}}")
    assert inbound_cluster_index(uncaptured.db, uncaptured.view.inbound) == {}


@pytest.mark.parametrize(
    ("written", "address"),
    [("127.0.0.1:8080", "127.0.0.1"), ("0.0.0.0:8080", "10.9.9.9"), ("[::]:8080", "")],
)
def test_an_ingress_listener_says_where_to(written: str, address: str) -> None:
    """The wildcard stands for the workload's own address, and for nothing if that is of the other family."""
    world = World(SERVICE + "---" + INGRESS % written)
    cluster = world.clusters()["inbound|9000||"]
    endpoints = cluster.load_assignment.endpoints
    found = endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address if endpoints else ""
    assert found == address
