"""The service model that selection and rendering share: Kubernetes Services and ServiceEntries look alike here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, StrEnum
from typing import NamedTuple

import msgspec

from discovery.schema.meta import EPOCH, ObjectKey

__all__ = ["Port", "Protocol", "ProtocolClass", "Registry", "Resolution", "Service", "ServiceRef"]


class ProtocolClass(Enum):
    """How a port's traffic is handled."""

    HTTP = "http"
    TCP = "tcp"
    AUTO = "auto"  # sniffed
    UDP = "udp"  # skipped


class Protocol(StrEnum):
    """Application protocol of a port (reference: protocol selection by ``appProtocol`` or the port name's prefix)."""

    HTTP = "HTTP"
    HTTP2 = "HTTP2"
    HTTP_PROXY = "HTTP_PROXY"
    GRPC = "GRPC"
    GRPC_WEB = "GRPC-Web"
    TCP = "TCP"
    HTTPS = "HTTPS"
    TLS = "TLS"
    MONGO = "Mongo"
    REDIS = "Redis"
    MYSQL = "MySQL"
    UDP = "UDP"
    UNSUPPORTED = "UnsupportedProtocol"

    @property
    def family(self) -> ProtocolClass:
        """HTTP, TCP, sniffed or skipped."""
        return _CLASS.get(self, ProtocolClass.AUTO)

    @property
    def is_http2(self) -> bool:
        """Whether upstreams speak HTTP/2 by declaration."""
        return self in (Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB)

    @property
    def is_tls(self) -> bool:
        """Whether the application itself speaks TLS, so that SNI can be matched."""
        return self in (Protocol.HTTPS, Protocol.TLS)


_CLASS = {
    Protocol.HTTP: ProtocolClass.HTTP,
    Protocol.HTTP2: ProtocolClass.HTTP,
    Protocol.HTTP_PROXY: ProtocolClass.HTTP,
    Protocol.GRPC: ProtocolClass.HTTP,
    Protocol.GRPC_WEB: ProtocolClass.HTTP,
    Protocol.TCP: ProtocolClass.TCP,
    Protocol.HTTPS: ProtocolClass.TCP,
    Protocol.TLS: ProtocolClass.TCP,
    Protocol.MONGO: ProtocolClass.TCP,
    Protocol.REDIS: ProtocolClass.TCP,
    Protocol.MYSQL: ProtocolClass.TCP,
    Protocol.UDP: ProtocolClass.UDP,
    Protocol.UNSUPPORTED: ProtocolClass.AUTO,
}


class Resolution(Enum):
    """How the addresses behind a service are found; decides the Envoy cluster type."""

    CLIENT_SIDE_LB = "EDS"
    DNS_LB = "STRICT_DNS"
    DNS_ROUND_ROBIN_LB = "LOGICAL_DNS"
    PASSTHROUGH = "ORIGINAL_DST"
    DYNAMIC_DNS = "DYNAMIC_DNS"
    ALIAS = "ALIAS"


class Registry(StrEnum):
    """Which kind of object declared the service."""

    KUBERNETES = "Kubernetes"
    EXTERNAL = "External"


class ServiceRef(NamedTuple):
    """The identity of a service: its lower-case host name, and the namespace of the object that declares it."""

    host: str
    namespace: str


class Port(msgspec.Struct, frozen=True):
    """A service port."""

    name: str
    number: int
    protocol: Protocol
    target_port: int = 0  # ServiceEntry targetPort; Kubernetes target ports are resolved per endpoint


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service, without its endpoints."""

    ref: ServiceRef
    name: str  # of the declaring object
    registry: Registry
    source: ObjectKey
    ports: tuple[Port, ...]
    resolution: Resolution
    created_at: datetime = EPOCH
    addresses: tuple[str, ...] = ()  # virtual IPs or CIDRs; empty: none, reached by name or wildcard listener only
    auto_addresses: tuple[str, ...] = ()  # auto-allocated, only for proxies that capture DNS
    external: bool = False  # MESH_EXTERNAL: never mutual TLS by itself
    export_to: frozenset[str] = frozenset()  # namespaces, "*", "." (own), "~" (nobody); empty: the mesh default
    labels: Mapping[str, str] = {}
    selector: Mapping[str, str] = {}  # pods (Kubernetes) or workloads (ServiceEntry workloadSelector)
    service_accounts: tuple[str, ...] = ()  # declared SPIFFE ids or SANs
    alias_of: str = ""  # ExternalName: the host it stands for
    headless: bool = False
    publish_not_ready: bool = False
    node_local: bool = False
    traffic_distribution: str = ""

    def port(self, number: int) -> Port | None:
        """The port with that number."""
        for port in self.ports:  # asked for every cluster: a generator costs three times as much
            if port.number == number:
                return port
        return None
