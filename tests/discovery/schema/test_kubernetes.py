from __future__ import annotations

from discovery.schema.kubernetes import EndpointSlice, Node, Pod, Service
from tests.kit.manifests import one


def test_service_defaults_are_those_of_the_api() -> None:
    """A port is TCP, a Service is a ClusterIP."""
    spec = one("{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}").spec
    assert isinstance(spec, Service)
    assert (spec.spec.type, spec.spec.cluster_ip, spec.spec.ports[0].protocol) == ("ClusterIP", "", "TCP")
    assert spec.spec.ports[0].target_port is None


def test_initialisms_are_spelled_as_in_the_api() -> None:
    """clusterIPs, podIP, externalIPs."""
    service = one(
        "{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {clusterIPs: [a], externalIPs: [b]}}"
    ).spec
    assert (service.spec.cluster_ips, service.spec.external_ips) == (("a",), ("b",))
    pod = one("{apiVersion: v1, kind: Pod, metadata: {name: p}, status: {podIP: a, podIPs: [{ip: a}]}}").spec
    assert isinstance(pod, Pod)
    assert (pod.status.pod_ip, pod.status.pod_ips[0].ip) == ("a", "a")
    assert pod.spec.service_account_name == "default"


def test_unknown_conditions_are_none() -> None:
    """Their meaning is for whoever reads endpoints."""
    text = "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s}, endpoints: [{addresses: [a]}]}"
    slices = one(text).spec
    assert isinstance(slices, EndpointSlice)
    assert slices.endpoints[0].conditions.ready is None
    assert slices.address_type == "IPv4"


def test_nodes_have_no_namespace() -> None:
    """Topology is in their labels."""
    obj = one("{apiVersion: v1, kind: Node, metadata: {name: n, labels: {a: b}}}")
    assert isinstance(obj.spec, Node)
    assert (obj.namespace, obj.meta.labels) == ("", {"a": "b"})
