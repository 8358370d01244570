"""Well-known ports of the mesh, in one place so that a number is never written twice."""

from __future__ import annotations

from typing import Final

__all__ = [
    "DISCOVERY_GRPC",
    "DISCOVERY_HTTP",
    "DISCOVERY_MONITORING",
    "DISCOVERY_SECURE_GRPC",
    "DISCOVERY_WEBHOOK",
    "DNS_PROXY",
    "ENVOY_ADMIN",
    "ENVOY_PROMETHEUS",
    "ENVOY_STATUS",
    "HBONE",
    "INBOUND_CAPTURE",
    "OUTBOUND_CAPTURE",
    "STATUS",
]

DISCOVERY_HTTP: Final = 8080
DISCOVERY_GRPC: Final = 15010
DISCOVERY_SECURE_GRPC: Final = 15012
DISCOVERY_MONITORING: Final = 15014
DISCOVERY_WEBHOOK: Final = 15017

ENVOY_ADMIN: Final = 15000
OUTBOUND_CAPTURE: Final = 15001
INBOUND_CAPTURE: Final = 15006
HBONE: Final = 15008
STATUS: Final = 15020
ENVOY_STATUS: Final = 15021
DNS_PROXY: Final = 15053
ENVOY_PROMETHEUS: Final = 15090
