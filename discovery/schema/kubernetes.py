"""The Kubernetes kinds that say what runs: only the fields we use, so unknown fields are normal here.

``Object.spec`` of these kinds is the whole object without its metadata, read by msgspec straight from bytes.

Spec: https://kubernetes.io/docs/reference/kubernetes-api/
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = [
    "ContainerPort",
    "Endpoint",
    "EndpointConditions",
    "EndpointPort",
    "EndpointSlice",
    "LoadBalancerIngress",
    "LoadBalancerStatus",
    "Namespace",
    "Node",
    "NodeAddress",
    "NodeInfo",
    "NodeStatus",
    "ObjectReference",
    "Pod",
    "PodCondition",
    "PodContainer",
    "PodIP",
    "PodSpec",
    "PodStatus",
    "Service",
    "ServicePort",
    "ServiceSpec",
    "ServiceStatus",
]


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """Part of an object; without reference cycles, hence outside the garbage collector's rounds."""


class ServicePort(_Part, frozen=True, kw_only=True):
    """A port of a Service; ``target_port`` None means ``port``."""

    name: str = ""
    port: int = 0
    protocol: str = "TCP"
    app_protocol: str | None = None
    target_port: int | str | None = None
    node_port: int = 0


class ServiceSpec(_Part, frozen=True, kw_only=True):
    """What a Service stands for."""

    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    cluster_ips: tuple[str, ...] = msgspec.field(name="clusterIPs", default=())
    external_name: str = ""
    external_ips: tuple[str, ...] = msgspec.field(name="externalIPs", default=())
    ports: tuple[ServicePort, ...] = ()
    selector: Mapping[str, str] = {}
    ip_families: tuple[str, ...] = ()
    internal_traffic_policy: str = ""
    publish_not_ready_addresses: bool = False
    session_affinity: str = ""
    traffic_distribution: str = ""


class LoadBalancerIngress(_Part, frozen=True, kw_only=True):
    """An address that a load balancer gave to a Service."""

    ip: str = ""
    hostname: str = ""


class LoadBalancerStatus(_Part, frozen=True, kw_only=True):
    """Addresses from the load balancer."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(_Part, frozen=True, kw_only=True):
    """What the cluster made of a Service."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class Service(_Part, frozen=True, kw_only=True):
    """``v1`` Service."""

    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class ObjectReference(_Part, frozen=True, kw_only=True):
    """The Pod behind an endpoint."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


class EndpointConditions(_Part, frozen=True, kw_only=True):
    """State of an endpoint; None means unknown, to be read as ready and serving, not terminating."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(_Part, frozen=True, kw_only=True):
    """One endpoint of a slice, with its addresses (more than one only with FQDN or by old writers)."""

    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()
    hostname: str | None = None
    target_ref: ObjectReference | None = None
    node_name: str | None = None
    zone: str | None = None
    deprecated_topology: Mapping[str, str] | None = None


class EndpointPort(_Part, frozen=True, kw_only=True):
    """A port of all endpoints of a slice; ``port`` None means all ports."""

    name: str | None = None
    port: int | None = None
    protocol: str | None = None
    app_protocol: str | None = None


class EndpointSlice(_Part, frozen=True, kw_only=True):
    """``discovery.k8s.io/v1`` EndpointSlice."""

    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class ContainerPort(_Part, frozen=True, kw_only=True):
    """A port that a container declares."""

    name: str = ""
    container_port: int = 0
    protocol: str = "TCP"


class PodContainer(_Part, frozen=True, kw_only=True):
    """A container, as far as named target ports need it."""

    name: str = ""
    ports: tuple[ContainerPort, ...] = ()


class PodSpec(_Part, frozen=True, kw_only=True):
    """How a Pod runs."""

    node_name: str = ""
    service_account_name: str = "default"
    hostname: str = ""
    subdomain: str = ""
    host_network: bool = False
    containers: tuple[PodContainer, ...] = ()


class PodIP(_Part, frozen=True, kw_only=True):
    """One of the addresses of a Pod."""

    ip: str = ""


class PodCondition(_Part, frozen=True, kw_only=True):
    """A condition of a Pod, such as Ready."""

    type: str = ""
    status: str = ""


class PodStatus(_Part, frozen=True, kw_only=True):
    """How a Pod is doing."""

    phase: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    pod_ips: tuple[PodIP, ...] = msgspec.field(name="podIPs", default=())
    conditions: tuple[PodCondition, ...] = ()


class Pod(_Part, frozen=True, kw_only=True):
    """``v1`` Pod; its owner is in the metadata."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class NodeAddress(_Part, frozen=True, kw_only=True):
    """An address of a Node."""

    type: str = ""
    address: str = ""


class NodeInfo(_Part, frozen=True, kw_only=True):
    """What runs on a Node."""

    kubelet_version: str = ""


class NodeStatus(_Part, frozen=True, kw_only=True):
    """Addresses of a Node, and what runs on it."""

    addresses: tuple[NodeAddress, ...] = ()
    node_info: NodeInfo = NodeInfo()


class Node(_Part, frozen=True, kw_only=True):
    """``v1`` Node: its topology labels are in the metadata."""

    status: NodeStatus = NodeStatus()


class Namespace(_Part, frozen=True, kw_only=True):
    """``v1`` Namespace: only its metadata says anything."""
