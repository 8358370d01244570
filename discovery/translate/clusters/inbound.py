"""Inbound clusters: from the sidecar to its own application."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from discovery.engine import Database, query
from discovery.mesh.destination_rules import PolicyFor, traffic_policy
from discovery.mesh.services import service
from discovery.mesh.settings import cluster_settings, inbound_localhost
from discovery.registry.service import Port, ProtocolClass, Service
from discovery.schema.destination_rule import ConnectionPoolSettings, HTTPSettings
from discovery.translate.clusters.key import InboundClusterKey
from discovery.translate.clusters.policy import HTTP_OPTIONS, circuit_breakers, http_protocol_options
from discovery.translate.clusters.static import follow_downstream, inbound_source, no_device
from discovery.translate.metadata import istio_metadata
from discovery.wire.envoy import Cluster, HttpProtocolOptions, pack
from discovery.wire.names import inbound_cluster as cluster_name
from discovery.wire.resource import Resource, resource
from discovery.wire.type_urls import CLUSTER

__all__ = ["inbound_cluster"]

# Original-destination hosts are cleaned up when unused; the application's own address must never be. Envoy limits
# durations to what fits 64 bits of nanoseconds.
_NEVER: Final = timedelta(seconds=9223372035)


@query
def inbound_cluster(db: Database, key: InboundClusterKey) -> Resource:
    """The cluster of one application port."""
    name = cluster_name(key.port)
    found = service(db, key.service) if key.service is not None else None
    port = found.port(key.service_port) if found is not None else None
    pool = _connection_pool(db, key, port)
    fields: dict[str, Any] = {
        "name": name,
        "alt_stat_name": name + ";",
        "connect_timeout": cluster_settings(db, None).connect_timeout,
        "circuit_breakers": circuit_breakers(pool),
    }
    _aim(db, key, fields)
    if found is not None:
        fields["metadata"] = _metadata(found)
    options = _protocol_options(key, port, pool)
    if options is not None:
        fields["typed_extension_protocol_options"] = options
    return resource(CLUSTER, name, Cluster(**fields))


def _aim(db: Database, key: InboundClusterKey, fields: dict[str, Any]) -> None:
    endpoint = key.endpoint or (f"127.0.0.1:{key.port}" if inbound_localhost(db, None) else "")
    if not endpoint:
        fields |= {
            "type": "ORIGINAL_DST",
            "lb_policy": "CLUSTER_PROVIDED",
            "cleanup_interval": _NEVER,
            "upstream_bind_config": inbound_source(ipv4=key.ipv4, ipv6=key.ipv6, bound=key.bound),
        }
        return
    fields |= {
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": fields["name"],
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(endpoint)}}]}],
        },
    }
    if key.bound:
        fields["upstream_bind_config"] = no_device()


def _address(endpoint: str) -> dict[str, Any]:
    if endpoint.startswith("unix://"):
        return {"pipe": {"path": endpoint.removeprefix("unix://")}}
    host, _, port = endpoint.rpartition(":")
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}


def _metadata(found: Service) -> dict[str, Any]:
    return istio_metadata(
        {"services": [{"host": found.ref.host, "name": found.name, "namespace": found.ref.namespace}]}
    )


def _connection_pool(db: Database, key: InboundClusterKey, port: Port | None) -> ConnectionPoolSettings | None:
    if key.service is None or port is None:
        return None
    policy = traffic_policy(db, PolicyFor(key.namespace, key.service, port.number, ""))
    return policy.connection_pool if policy is not None else None


def _protocol_options(
    key: InboundClusterKey, port: Port | None, pool: ConnectionPoolSettings | None
) -> dict[str, Any] | None:
    """The application gets the protocol that its port declares, or what the client spoke."""
    if port is not None:
        # What a rule says about the protocol is about callers, not about the application.
        limits = None if pool is None else ConnectionPoolSettings(tcp=pool.tcp, http=_limits(pool.http))
        return http_protocol_options(port, limits, upgrade=False)
    family = key.protocol.upper().partition("-")[0]
    if family in ("HTTP2", "GRPC"):
        return {HTTP_OPTIONS: pack(HttpProtocolOptions(explicit_http_config={"http2_protocol_options": {}}))}
    return None if family in (ProtocolClass.HTTP.name, ProtocolClass.TCP.name) else follow_downstream()


def _limits(http: HTTPSettings | None) -> HTTPSettings | None:
    if http is None:
        return None
    return HTTPSettings(
        max_requests_per_connection=http.max_requests_per_connection,
        idle_timeout=http.idle_timeout,
        max_concurrent_streams=http.max_concurrent_streams,
    )
