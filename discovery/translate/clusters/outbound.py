"""Outbound clusters: one service port, whole or by subset, as one kind of proxy is served it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from discovery.engine import Database, query
from discovery.mesh.destination_rules import PolicyOf, policy_of
from discovery.mesh.endpoints import ServicePort, endpoints, service_accounts
from discovery.mesh.peer_authentication import namespace_mtls
from discovery.mesh.services import service
from discovery.mesh.settings import ClusterSettings, cluster_settings, mesh_locality
from discovery.registry.service import Port, Resolution, Service
from discovery.schema.destination_rule import HTTPSettings, SimpleLB, TrafficPolicy
from discovery.schema.peer_authentication import MutualTLSMode
from discovery.translate.clusters.key import ClusterProxy, OutboundClusterKey
from discovery.translate.clusters.policy import apply_policy, circuit_breakers, http_protocol_options, speaks_http2
from discovery.translate.clusters.transport import Peer, apply_transport, effective_tls, upstream_names
from discovery.translate.endpoints.load_assignment import AssignmentKey, assignment_message
from discovery.translate.endpoints.locality import balances_localities
from discovery.translate.metadata import config_path, istio_metadata
from discovery.wire.envoy import CaresDnsResolverConfig, Cluster, pack
from discovery.wire.names import outbound_cluster as cluster_name
from discovery.wire.resource import Resource, resource
from discovery.wire.type_urls import CLUSTER

__all__ = ["DNS_TYPES", "cluster_type", "outbound_cluster"]

DNS_TYPES: Final = frozenset({Resolution.DNS_LB, Resolution.DNS_ROUND_ROBIN_LB})
_ADS: Final = {"ads": {}, "initial_fetch_timeout": {}, "resource_api_version": "V3"}
_CARES: Final = {
    "name": "envoy.network.dns_resolver.cares",
    "typed_config": pack(CaresDnsResolverConfig(udp_max_queries={"value": 100})),
}


def cluster_type(found: Service, proxy: ClusterProxy, policy: TrafficPolicy | None) -> str:
    """Envoy's discovery type for a service; routers load-balance headless services themselves."""
    lb = policy.load_balancer if policy is not None else None
    if lb is not None and lb.simple is SimpleLB.PASSTHROUGH:
        return "ORIGINAL_DST"
    if found.resolution is Resolution.PASSTHROUGH and proxy.type != "sidecar":
        return "EDS"
    return str(found.resolution.value)


@query
def outbound_cluster(db: Database, key: OutboundClusterKey) -> Resource | None:
    """The cluster; None where it cannot be: no such port, or a DNS cluster without endpoints."""
    found = service(db, key.service)
    port = found.port(key.port) if found is not None else None
    if found is None or port is None:
        return None
    settings = cluster_settings(db, None)
    policy = policy_of(db, PolicyOf(key.rule, key.port, key.subset))
    name = cluster_name(key.service.host, key.port, key.subset)
    fields: dict[str, Any] = {
        "name": name,
        "alt_stat_name": name + ";",
        "type": cluster_type(found, key.proxy, policy),
        "connect_timeout": settings.connect_timeout,
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": circuit_breakers(None),
        "common_lb_config": {},
        "metadata": _metadata(key, found),
    }
    if not _discovery(db, key, found, fields, settings):
        return None
    if settings.tcp_keepalive is not None:
        _mesh_keepalive(fields, settings)
    if policy is not None:
        apply_policy(fields, policy, port)
    _secure(db, key, found, port, policy, fields, settings)
    if key.proxy.locality and balances_localities(policy, mesh_locality(db, None)):
        fields["common_lb_config"]["locality_weighted_lb_config"] = {}
    return resource(CLUSTER, name, Cluster(**fields))


def _metadata(key: OutboundClusterKey, found: Service) -> dict[str, Any]:
    values: dict[str, Any] = {
        "services": [{"host": found.ref.host, "name": found.name, "namespace": found.ref.namespace}]
    }
    if key.rule:
        values["config"] = config_path(key.rule[0])
    if key.subset:
        values["subset"] = key.subset
    if found.external:
        values["external"] = True
    return istio_metadata(values)


def _discovery(
    db: Database, key: OutboundClusterKey, found: Service, fields: dict[str, Any], settings: ClusterSettings
) -> bool:
    """How endpoints are found; False when the cluster would have none for ever."""
    kind = fields["type"]
    if kind == "EDS":
        fields["eds_cluster_config"] = {"service_name": fields["name"], "eds_config": _ADS}
    elif kind == "ORIGINAL_DST":
        fields["lb_policy"] = "CLUSTER_PROVIDED"
        port = found.port(key.port)
        if port is not None and port.target_port and port.target_port != port.number:
            fields["original_dst_lb_config"] = {"upstream_port_override": {"value": port.target_port}}
    else:
        assignment = AssignmentKey(
            service=key.service,
            port=key.port,
            subset=key.subset,
            rule=key.rule,
            locality=key.proxy.locality,
        )
        inline = assignment_message(db, assignment)
        if inline is None:
            return False
        fields["load_assignment"] = inline
        fields["dns_lookup_family"] = _dns_family(key.proxy)
        fields["dns_refresh_rate"] = settings.dns_refresh_rate
        fields["dns_jitter"] = timedelta(milliseconds=100)
        fields["respect_dns_ttl"] = True
        fields["typed_dns_resolver_config"] = _CARES
    return True


def _dns_family(proxy: ClusterProxy) -> str:
    if proxy.ipv4 and proxy.ipv6:
        return "ALL"
    return "V6_ONLY" if proxy.ipv6 else "V4_ONLY"


def _mesh_keepalive(fields: dict[str, Any], settings: ClusterSettings) -> None:
    keepalive = settings.tcp_keepalive
    options: dict[str, Any] = {}
    if keepalive is not None and keepalive.probes:
        options["keepalive_probes"] = {"value": keepalive.probes}
    for name in ("time", "interval"):
        value = getattr(keepalive, name)
        if value is not None:
            options[f"keepalive_{name}"] = {"value": int(value.total_seconds())}
    fields["upstream_connection_options"] = {"tcp_keepalive": options}


def _peer_mode(db: Database, found: Service, key: OutboundClusterKey) -> MutualTLSMode:
    """What callers should expect: of headless services the endpoints themselves say."""
    if found.resolution is Resolution.PASSTHROUGH:
        known = endpoints(db, ServicePort(key.service, key.port))
        if not known or any(endpoint.tls_mode != "istio" for endpoint in known):
            return MutualTLSMode.DISABLE
    return namespace_mtls(db, found.ref.namespace)


def _secure(  # noqa: PLR0913 - one step of the query above, which has gathered these
    db: Database,
    key: OutboundClusterKey,
    found: Service,
    port: Port,
    policy: TrafficPolicy | None,
    fields: dict[str, Any],
    settings: ClusterSettings,
) -> None:
    """Transport sockets and HTTP protocol options, which depend on each other through ALPN and SNI."""
    pool = policy.connection_pool if policy is not None else None
    http = (pool.http if pool is not None else None) or HTTPSettings()
    peer = Peer(
        service=found,
        port=port,
        subset=key.subset,
        accounts=service_accounts(db, key.service),
        mode=_peer_mode(db, found, key),
        auto_mtls=settings.auto_mtls,
        http2=speaks_http2(port, http, upgrade=settings.http2_upgrade),
        client_certificates=key.proxy.client_certificates,
    )
    effective = effective_tls(policy.tls if policy is not None else None, peer)
    apply_transport(fields, effective, peer)
    options = http_protocol_options(
        port,
        pool,
        upgrade=settings.http2_upgrade,
        outlier=policy.outlier_detection if policy is not None else None,
        names=upstream_names(effective),
    )
    if options is not None:
        fields["typed_extension_protocol_options"] = options
