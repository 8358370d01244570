"""The endpoint model: one address of one service port, with what load balancing and mutual TLS need to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import msgspec

__all__ = ["Endpoint", "Health"]


class Health(IntEnum):
    """Envoy's ``core.v3.HealthStatus`` numbers."""

    HEALTHY = 1
    UNHEALTHY = 2
    DRAINING = 3


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One endpoint of one service port."""

    address: str  # IP, host name (DNS services), or the path of a Unix socket when port is 0
    port: int
    service_port: str  # name of the service port it belongs to
    labels: Mapping[str, str] = {}  # of the workload, topology labels included
    locality: str = ""  # region/zone/subzone
    network: str = ""
    cluster_id: str = ""
    weight: int = 1
    health: Health = Health.HEALTHY
    tls_mode: str = ""  # label security.istio.io/tlsMode: "istio", "disabled" or empty
    service_account: str = ""  # SPIFFE id
    workload: str = ""
    namespace: str = ""
    node_name: str = ""
    hostname: str = ""
    subdomain: str = ""
    additional_addresses: tuple[str, ...] = ()  # of the same workload, tried when the first does not answer
