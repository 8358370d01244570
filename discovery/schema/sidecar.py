"""Sidecar: what a workload's proxy sees of the mesh, and what it listens on.

Spec: https://istio.io/latest/docs/reference/config/networking/sidecar/
"""

from __future__ import annotations

from discovery.schema.destination_rule import ConnectionPoolSettings
from discovery.schema.message import Message, ProtoEnum, UInt32
from discovery.schema.selector import WorkloadSelector
from discovery.schema.server_tls import ServerTLSSettings
from discovery.schema.virtual_service import Destination

__all__ = [
    "CaptureMode",
    "IstioEgressListener",
    "IstioIngressListener",
    "OutboundTrafficPolicy",
    "OutboundTrafficPolicyMode",
    "Sidecar",
    "SidecarPort",
]


class CaptureMode(ProtoEnum):
    """How traffic reaches a listener."""

    DEFAULT = "DEFAULT"
    IPTABLES = "IPTABLES"
    NONE = "NONE"


class OutboundTrafficPolicyMode(ProtoEnum):
    """What happens to traffic to destinations that no registry knows."""

    REGISTRY_ONLY = "REGISTRY_ONLY"
    ALLOW_ANY = "ALLOW_ANY"
    ALLOW_ANY_DYNAMIC_DNS = "ALLOW_ANY_DYNAMIC_DNS"


class OutboundTrafficPolicy(Message, frozen=True, kw_only=True):
    """Traffic to unknown destinations; also the mesh-wide setting of MeshConfig."""

    mode: OutboundTrafficPolicyMode = OutboundTrafficPolicyMode.REGISTRY_ONLY
    egress_proxy: Destination | None = None


class SidecarPort(Message, frozen=True, kw_only=True):
    """The port of a listener."""

    number: UInt32 = 0
    protocol: str = ""
    name: str = ""
    target_port: UInt32 = 0  # deprecated, ignored


class IstioIngressListener(Message, frozen=True, kw_only=True):
    """An inbound port, and the application's address behind it."""

    required = ("port",)

    port: SidecarPort | None = None
    bind: str = ""
    capture_mode: CaptureMode = CaptureMode.DEFAULT
    default_endpoint: str = ""
    tls: ServerTLSSettings | None = None
    connection_pool: ConnectionPoolSettings | None = None


class IstioEgressListener(Message, frozen=True, kw_only=True):
    """Outbound hosts (``namespace/dnsName``), all ports or one."""

    required = ("hosts",)

    port: SidecarPort | None = None
    bind: str = ""
    capture_mode: CaptureMode = CaptureMode.DEFAULT
    hosts: tuple[str, ...] = ()


class Sidecar(Message, frozen=True, kw_only=True):
    """The scope of the selected workloads (no selector: of the namespace)."""

    workload_selector: WorkloadSelector | None = None
    ingress: tuple[IstioIngressListener, ...] = ()
    egress: tuple[IstioEgressListener, ...] = ()
    outbound_traffic_policy: OutboundTrafficPolicy | None = None
    inbound_connection_pool: ConnectionPoolSettings | None = None
