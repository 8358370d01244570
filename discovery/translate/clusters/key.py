"""What the bytes of a cluster depend on, and nothing else."""

from __future__ import annotations

import msgspec

from discovery.mesh.destination_rules import RuleSources
from discovery.registry.service import ServiceRef
from discovery.wire.node import NodeType

__all__ = ["ClusterProxy", "InboundClusterKey", "OutboundClusterKey", "StaticClusterKey"]


class ClusterProxy(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """The part of a proxy that outbound clusters depend on; equal for nearly all proxies of a mesh."""

    type: NodeType
    ipv4: bool = True
    ipv6: bool = False
    istio_filters: bool = False
    client_certificates: tuple[str, str, str] = ("", "", "")
    locality: str = ""  # set only where the cluster chooses among localities


class OutboundClusterKey(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """An outbound cluster."""

    service: ServiceRef
    port: int
    subset: str = ""
    rule: RuleSources = ()  # DestinationRules in force
    proxy: ClusterProxy


class InboundClusterKey(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """The cluster of one of the workload's own ports."""

    port: int
    service: ServiceRef | None = None  # of the first service on that port; its DestinationRule may limit connections
    service_port: int = 0
    endpoint: str = (
        ""  # ``defaultEndpoint`` of a Sidecar ingress: ``host:port`` or ``unix://path``; empty: the pod's IP
    )
    protocol: str = ""
    namespace: str = ""  # of the workload
    ipv4: bool = True
    ipv6: bool = False
    bound: bool = False  # Envoy binds what is not told otherwise to an address or an interface


class StaticClusterKey(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """One of the fixed clusters."""

    name: str
    ipv4: bool = True
    ipv6: bool = False
    bound: bool = False
