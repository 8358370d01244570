"""The xDS type URLs we speak, their short names, and the order in which a push must deliver them.

Spec: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#eventual-consistency-considerations
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADDRESS",
    "CLUSTER",
    "DEBUG_PREFIX",
    "ENDPOINT",
    "EXTENSION_CONFIG",
    "HEALTH_INFORMATION",
    "LISTENER",
    "NAME_TABLE",
    "PREFIX",
    "PROXY_CONFIG",
    "PUSH_ORDER",
    "ROUTE",
    "SECRET",
    "SHORT_NAMES",
    "VIRTUAL_HOST",
    "WILDCARD_BY_DEFAULT",
    "short_name",
]

PREFIX: Final = "type.googleapis.com/"

CLUSTER: Final = PREFIX + "envoy.config.cluster.v3.Cluster"
ENDPOINT: Final = PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
LISTENER: Final = PREFIX + "envoy.config.listener.v3.Listener"
ROUTE: Final = PREFIX + "envoy.config.route.v3.RouteConfiguration"
VIRTUAL_HOST: Final = PREFIX + "envoy.config.route.v3.VirtualHost"
SECRET: Final = PREFIX + "envoy.extensions.transport_sockets.tls.v3.Secret"
EXTENSION_CONFIG: Final = PREFIX + "envoy.config.core.v3.TypedExtensionConfig"
NAME_TABLE: Final = PREFIX + "istio.networking.nds.v1.NameTable"
PROXY_CONFIG: Final = PREFIX + "istio.mesh.v1alpha1.ProxyConfig"
ADDRESS: Final = PREFIX + "istio.workload.Address"
HEALTH_INFORMATION: Final = PREFIX + "istio.v1.HealthInformation"
DEBUG_PREFIX: Final = "istio.io/debug"

SHORT_NAMES: Final[dict[str, str]] = {
    CLUSTER: "CDS",
    ENDPOINT: "EDS",
    LISTENER: "LDS",
    ROUTE: "RDS",
    VIRTUAL_HOST: "VHDS",
    SECRET: "SDS",
    EXTENSION_CONFIG: "ECDS",
    NAME_TABLE: "NDS",
    PROXY_CONFIG: "PCDS",
    ADDRESS: "WDS",
    HEALTH_INFORMATION: "HDS",
}

# Make before break: what is referred to travels before what refers to it; removals travel in the reverse order.
PUSH_ORDER: Final[tuple[str, ...]] = (
    CLUSTER,
    ENDPOINT,
    LISTENER,
    ROUTE,
    VIRTUAL_HOST,
    SECRET,
    EXTENSION_CONFIG,
    NAME_TABLE,
    PROXY_CONFIG,
)

# A first request that names nothing asks for everything, for these types only.
WILDCARD_BY_DEFAULT: Final[frozenset[str]] = frozenset({CLUSTER, LISTENER, NAME_TABLE, PROXY_CONFIG, VIRTUAL_HOST})


def short_name(type_url: str) -> str:
    """The field's abbreviation (``CDS``), or the last part of an unknown type URL."""
    return SHORT_NAMES.get(type_url) or type_url.rpartition(".")[2]
