"""HTTP filters in the order of the mesh.

Order (a filter sees what those before it let through): peer metadata, custom authorization, JWT, RBAC, gRPC-Web,
gRPC statistics, ALPN, fault, CORS, telemetry, dynamic DNS, router. Filters called ``istio.*`` exist only in Istio's
build of Envoy, so they are given only to proxies that announce them.
"""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Any, Final

from discovery.translate.dynamic_dns import dns_cache
from discovery.translate.metadata import struct
from discovery.wire.envoy import Cors, DynamicForwardProxy, GrpcStats, GrpcWeb, HTTPFault, Router, TypedStruct, pack

__all__ = ["Side", "http_filters", "typed_struct"]


class Side(Enum):
    """Which way traffic flows, seen from the proxy."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


def typed_struct(name: str, type_name: str, value: dict[str, Any]) -> dict[str, Any]:
    """A filter whose message we have no class for, as ``udpa.type.v1.TypedStruct``."""
    message = TypedStruct(type_url=f"type.googleapis.com/{type_name}", value=struct(value))
    return {"name": name, "typed_config": pack(message)}


_ROUTER: Final = {"name": "envoy.filters.http.router", "typed_config": pack(Router())}
_CORS: Final = {"name": "envoy.filters.http.cors", "typed_config": pack(Cors())}
_FAULT: Final = {"name": "envoy.filters.http.fault", "typed_config": pack(HTTPFault())}
_GRPC_WEB: Final = {"name": "envoy.filters.http.grpc_web", "typed_config": pack(GrpcWeb())}
_GRPC_STATS: Final = {
    "name": "envoy.filters.http.grpc_stats",
    "typed_config": pack(GrpcStats(emit_filter_state=True, stats_for_all_methods={"value": False})),
}

_PEER_METADATA: Final = "io.istio.http.peer_metadata.Config"
_DISCOVERY: Final[list[dict[str, Any]]] = [{"istio_headers": {}}, {"workload_discovery": {}}]
_PROPAGATION: Final[list[dict[str, Any]]] = [{"istio_headers": {}}]
_METADATA_EXCHANGE: Final = {
    Side.INBOUND: typed_struct(
        "istio.metadata_exchange",
        _PEER_METADATA,
        {"downstream_discovery": _DISCOVERY, "downstream_propagation": _PROPAGATION},
    ),
    Side.OUTBOUND: typed_struct(
        "istio.metadata_exchange",
        _PEER_METADATA,
        {"upstream_discovery": _DISCOVERY, "upstream_propagation": _PROPAGATION},
    ),
}
_ALPN: Final = typed_struct(
    "istio.alpn",
    "istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig",
    {
        "alpn_override": [
            {"upstream_protocol": "HTTP10", "alpn_override": ["istio-http/1.0", "istio", "http/1.0"]},
            {"upstream_protocol": "HTTP11", "alpn_override": ["istio-http/1.1", "istio", "http/1.1"]},
            {"upstream_protocol": "HTTP2", "alpn_override": ["istio-h2", "istio", "h2"]},
        ]
    },
)
_STATS: Final = {
    Side.INBOUND: typed_struct("istio.stats", "stats.PluginConfig", {"disable_host_header_fallback": True}),
    Side.OUTBOUND: typed_struct("istio.stats", "stats.PluginConfig", {}),
}


def _dynamic_forward_proxy(family: str) -> dict[str, Any]:
    config = DynamicForwardProxy(dns_cache_config=dns_cache(family))
    return {"name": "envoy.filters.http.dynamic_forward_proxy", "typed_config": pack(config)}


@cache
def http_filters(side: Side, *, istio: bool, grpc_web: bool, dynamic_dns: str = "") -> tuple[dict[str, Any], ...]:
    """The filters of an HTTP connection manager, router last. Constants: do not change them.

    Args:
        side: outbound or inbound.
        istio: the proxy announces the extensions ``istio.*``.
        grpc_web: the port's protocol is gRPC-Web.
        dynamic_dns: ``DnsLookupFamily`` of hosts that nobody declared; empty: they are not resolved.
    """
    filters = [_METADATA_EXCHANGE[side]] if istio else []
    if grpc_web:
        filters.append(_GRPC_WEB)
    filters.append(_GRPC_STATS)
    if istio and side is Side.OUTBOUND:
        filters.append(_ALPN)
    filters += [_FAULT, _CORS]
    if istio:
        filters.append(_STATS[side])
    if dynamic_dns:
        filters.append(_dynamic_forward_proxy(dynamic_dns))
    return (*filters, _ROUTER)
