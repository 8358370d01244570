"""The fixed clusters: the black hole, and the pass-throughs for destinations that the mesh does not know."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from discovery.engine import Database, query
from discovery.mesh.settings import cluster_settings
from discovery.translate.clusters.key import StaticClusterKey
from discovery.translate.clusters.policy import HTTP_OPTIONS, circuit_breakers
from discovery.translate.dynamic_dns import dns_cache, dns_family
from discovery.wire.envoy import Cluster, DynamicForwardCluster, HttpProtocolOptions, pack
from discovery.wire.names import (
    ALLOW_ANY_DYNAMIC_DNS_CLUSTER,
    BLACK_HOLE_CLUSTER,
    INBOUND_PASSTHROUGH_CLUSTER,
    PASSTHROUGH_CLUSTER,
)
from discovery.wire.resource import Resource, resource
from discovery.wire.type_urls import CLUSTER

__all__ = ["follow_downstream", "inbound_source", "no_device", "static_cluster"]

# Traffic that a proxy sends to its own application comes from here, so that capture rules can tell it from others'.
_SOURCE_V4: Final = "127.0.0.6"
_SOURCE_V6: Final = "::6"
_IDLE: Final = timedelta(seconds=300)
_NO_DEVICE: Final = {"level": 1, "name": 25, "buf_value": b"\0"}  # SOL_SOCKET, SO_BINDTODEVICE


def inbound_source(*, ipv4: bool, ipv6: bool, bound: bool = False) -> dict[str, Any]:
    """``upstream_bind_config`` of clusters towards the application."""

    def address(text: str) -> dict[str, Any]:
        return {"address": text, "port_value": 0}

    source: dict[str, Any] = {"source_address": address(_SOURCE_V4 if ipv4 else _SOURCE_V6)}
    if ipv4 and ipv6:
        source["extra_source_addresses"] = [{"address": address(_SOURCE_V6)}]
    return source | (no_device() if bound else {})


def no_device() -> dict[str, Any]:
    """Fields of ``upstream_bind_config`` that undo a common binding to an interface.

    Envoy takes the socket options of its cluster manager for every cluster that has none of its own, whatever else that
    cluster's ``upstream_bind_config`` says; and the application is behind no interface.
    """
    return {"socket_options": [{"description": "no device", "state": "STATE_PREBIND", **_NO_DEVICE}]}


def follow_downstream(idle: timedelta | None = None, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """``typed_extension_protocol_options``: the upstream protocol is what the client speaks.

    Args:
        idle: how long connections are kept that nobody uses.
        names: ``UpstreamHttpProtocolOptions``.
    """
    options: dict[str, Any] = {
        "use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": {}}
    }
    if idle is not None:
        options["common_http_protocol_options"] = {"idle_timeout": idle}
    if names is not None:
        options["upstream_http_protocol_options"] = names
    return {HTTP_OPTIONS: pack(HttpProtocolOptions(**options))}


@query
def static_cluster(db: Database, key: StaticClusterKey) -> Resource:
    """One of the fixed clusters."""
    fields: dict[str, Any] = {
        "name": key.name,
        "alt_stat_name": key.name + ";",
        "connect_timeout": cluster_settings(db, None).connect_timeout,
        "circuit_breakers": circuit_breakers(None),
    }
    if key.name == BLACK_HOLE_CLUSTER:
        fields["type"] = "STATIC"
    elif key.name in (PASSTHROUGH_CLUSTER, INBOUND_PASSTHROUGH_CLUSTER):
        fields |= {
            "type": "ORIGINAL_DST",
            "lb_policy": "CLUSTER_PROVIDED",
            "typed_extension_protocol_options": follow_downstream(_IDLE),
        }
        if key.name == INBOUND_PASSTHROUGH_CLUSTER:
            fields["upstream_bind_config"] = inbound_source(ipv4=key.ipv4, ipv6=key.ipv6, bound=key.bound)
    elif key.name == ALLOW_ANY_DYNAMIC_DNS_CLUSTER:
        config = DynamicForwardCluster(dns_cache_config=dns_cache(dns_family(ipv4=key.ipv4, ipv6=key.ipv6)))
        fields |= {
            "cluster_type": {"name": "envoy.clusters.dynamic_forward_proxy", "typed_config": pack(config)},
            "lb_policy": "CLUSTER_PROVIDED",
            # Envoy demands them of such a cluster, though this one never speaks TLS.
            "typed_extension_protocol_options": follow_downstream(
                _IDLE, {"auto_sni": True, "auto_san_validation": True}
            ),
        }
    else:
        raise ValueError(f"no fixed cluster is called {key.name!r}")
    return resource(CLUSTER, key.name, Cluster(**fields))
