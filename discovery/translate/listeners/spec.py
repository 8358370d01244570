"""A listener as a value: everything its bytes depend on besides settings of the whole mesh.

It is the key of the rendering query (equal keys share one rendered resource), and what conflicts are judged on.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_interface
from typing import NamedTuple

import msgspec

from discovery.registry.service import Protocol
from discovery.schema.meta import ObjectKey
from discovery.translate.filters.http import Side
from discovery.translate.filters.inspectors import Inspection

__all__ = [
    "EVERYTHING",
    "PLAINTEXT",
    "TLS",
    "Chain",
    "ChainMatch",
    "HttpTarget",
    "InboundRoute",
    "ListenerShape",
    "ListenerSpec",
    "TcpTarget",
    "TlsServer",
    "Tunnel",
    "UnknownHosts",
    "WeightedCluster",
    "network_of",
]

PLAINTEXT = "raw_buffer"
TLS = "tls"


@lru_cache(maxsize=4096)
def network_of(subnet: str) -> IPv4Network | IPv6Network:
    """An address or CIDR without its host bits, which Envoy ignores and people write."""
    return ip_interface(subnet).network


class ChainMatch(NamedTuple):
    """Criteria of a filter chain; empty ones are not looked at. The sets are sorted."""

    port: int = 0
    subnets: tuple[str, ...] = ()  # destination addresses or CIDRs
    server_names: tuple[str, ...] = ()
    transport: str = ""
    alpn: tuple[str, ...] = ()


EVERYTHING = ChainMatch()


class TlsServer(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """TLS that a chain terminates: of the mesh (no certificate named), or of a user's own making."""

    alpn: tuple[str, ...] = ()
    certificates: tuple[str, str, str] = ("", "", "")  # files of the proxy in place of the mesh's secrets
    mesh: bool = True
    mutual: bool = True
    sans: tuple[str, ...] = ()  # a user's; the mesh's are its trust domains


class WeightedCluster(NamedTuple):
    """A destination of a TCP chain."""

    cluster: str
    weight: int = 1


class Tunnel(NamedTuple):
    """An HTTP tunnel around TCP."""

    protocol: str  # CONNECT or POST
    target: str  # host:port


class TcpTarget(msgspec.Struct, frozen=True, cache_hash=True):
    """Connections are proxied to one of these clusters."""

    stat_prefix: str
    clusters: tuple[WeightedCluster, ...]
    protocol: Protocol = Protocol.TCP
    idle_timeout: timedelta | None = None
    max_duration: timedelta | None = None
    hash_source_ip: bool = False
    tunnel: Tunnel | None = None


class InboundRoute(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """The one route of an inbound HTTP chain."""

    cluster: str
    port: int  # of the service
    host: str = ""  # of the service
    grpc: bool = False


class UnknownHosts(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """The one route of captured HTTP to hosts that nobody declared."""

    name: str
    cluster: str


class HttpTarget(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """Requests are routed, by a route configuration (named, outbound) or the one route there is."""

    stat_prefix: str
    routes: str | InboundRoute | UnknownHosts
    grpc_web: bool = False
    forward_proxy: bool = False


class Chain(msgspec.Struct, frozen=True, cache_hash=True):
    """A filter chain."""

    target: HttpTarget | TcpTarget
    match: ChainMatch = EVERYTHING
    name: str = ""
    tls: TlsServer | None = None
    config: ObjectKey | None = None  # the object that asked for it

    @property
    def http(self) -> bool:
        """Whether it speaks HTTP."""
        return isinstance(self.target, HttpTarget)


class ListenerShape(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """What many listeners of a proxy have in common.

    ``captured`` listeners do not bind: the capture listener hands them connections by original destination.
    """

    side: Side
    captured: bool = False
    hands_off: bool = False  # to the listener of the original destination
    original_dst: bool = False
    transparent: bool = False
    tls_inspection: Inspection | None = None
    http_inspection: Inspection | None = None
    istio: bool = False  # the proxy announces the extensions istio.*
    http10: bool = False
    dynamic_dns: str = ""  # family in which hosts that nobody declared are resolved


class ListenerSpec(msgspec.Struct, frozen=True, cache_hash=True):
    """A listener. ``binds`` are IP addresses, or one path of a Unix socket (port 0)."""

    name: str
    binds: tuple[str, ...]
    port: int
    shape: ListenerShape
    chains: tuple[Chain, ...]
    default_chain: Chain | None = None
