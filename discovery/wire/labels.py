"""Label and annotation keys with a meaning in the mesh."""

from __future__ import annotations

from typing import Final

__all__ = [
    "CANONICAL_NAME",
    "CANONICAL_REVISION",
    "CLUSTER",
    "HOSTNAME",
    "LOCALITY",
    "LOCALITY_LEGACY",
    "NETWORK",
    "PERSISTENT_SESSION",
    "REGION",
    "REVISION",
    "SERVICE_NAME",
    "SUBZONE",
    "TLS_MODE",
    "ZONE",
]

REGION: Final = "topology.kubernetes.io/region"
ZONE: Final = "topology.kubernetes.io/zone"
SUBZONE: Final = "topology.istio.io/subzone"
NETWORK: Final = "topology.istio.io/network"
CLUSTER: Final = "topology.istio.io/cluster"
HOSTNAME: Final = "kubernetes.io/hostname"
LOCALITY: Final = "topology.istio.io/locality"
LOCALITY_LEGACY: Final = "istio-locality"
TLS_MODE: Final = "security.istio.io/tlsMode"
PERSISTENT_SESSION: Final = "istio.io/persistent-session"
REVISION: Final = "istio.io/rev"
SERVICE_NAME: Final = "kubernetes.io/service-name"
CANONICAL_NAME: Final = "service.istio.io/canonical-name"
CANONICAL_REVISION: Final = "service.istio.io/canonical-revision"
