"""The grammar of resource names on the wire: clusters, listeners, SNI-DNAT names, SPIFFE-free and Envoy-free.

A name is an interface: dashboards, EnvoyFilters and the agents of others parse it. Facts are Istio's.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

__all__ = [
    "ALLOW_ANY_DYNAMIC_DNS_CLUSTER",
    "BLACK_HOLE_CLUSTER",
    "INBOUND_PASSTHROUGH_CLUSTER",
    "PASSTHROUGH_CLUSTER",
    "VIRTUAL_INBOUND",
    "VIRTUAL_OUTBOUND",
    "ClusterName",
    "Direction",
    "inbound_cluster",
    "listener_name",
    "outbound_cluster",
    "parse_cluster",
    "sni_name",
    "virtual_host_name",
    "virtual_host_resource",
]

ALLOW_ANY_DYNAMIC_DNS_CLUSTER: Final = "AllowAnyDynamicDNSCluster"
BLACK_HOLE_CLUSTER: Final = "BlackHoleCluster"
PASSTHROUGH_CLUSTER: Final = "PassthroughCluster"
INBOUND_PASSTHROUGH_CLUSTER: Final = "InboundPassthroughCluster"
VIRTUAL_OUTBOUND: Final = "virtualOutbound"
VIRTUAL_INBOUND: Final = "virtualInbound"


class Direction(StrEnum):
    """Which way traffic of a cluster flows, seen from the proxy."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class ClusterName(NamedTuple):
    """The parts of ``<direction>|<port>|<subset>|<host>``."""

    direction: Direction
    port: int
    subset: str
    host: str

    def __str__(self) -> str:
        return f"{self.direction}|{self.port}|{self.subset}|{self.host}"


def outbound_cluster(host: str, port: int, subset: str = "") -> str:
    """``outbound|<port>|<subset>|<host>``: also the EDS service name."""
    return f"outbound|{port}|{subset}|{host}"


def inbound_cluster(port: int) -> str:
    """``inbound|<port>||``: an application port of the workload itself."""
    return f"inbound|{port}||"


def sni_name(host: str, port: int, subset: str = "") -> str:
    """``outbound_.<port>_.<subset>_.<host>``: a cluster name that is legal as a TLS server name."""
    return f"outbound_.{port}_.{subset}_.{host}"


def parse_cluster(name: str) -> ClusterName | None:
    """Read a cluster name of either form; None for static clusters such as ``BlackHoleCluster``."""
    separator = "_." if name.startswith(("outbound_.", "inbound_.")) else "|"
    parts = name.split(separator, 3)
    if len(parts) != 4 or not parts[1].isdecimal():
        return None
    try:
        direction = Direction(parts[0])
    except ValueError:
        return None
    return ClusterName(direction, int(parts[1]), parts[2], parts[3])


def listener_name(bind: str, port: int) -> str:
    """``<bind>_<port>``; for a Unix socket path the port is 0."""
    return f"{bind}_{port}"


def virtual_host_name(host: str, port: int) -> str:
    """``<host>:<port>``."""
    return f"{host}:{port}"


def virtual_host_resource(route_configuration: str, virtual_host: str) -> str:
    """``<route configuration>/<virtual host>``: the name under which VHDS delivers it."""
    return f"{route_configuration}/{virtual_host}"
