"""Outbound clusters: one service port, whole or by subset, as one kind of proxy is served it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, NamedTuple

from discovery.engine import Database, query
from discovery.mesh.destination_rules import PolicyOf, RuleSources, policy_of
from discovery.mesh.endpoints import ServicePort, endpoints, service_accounts
from discovery.mesh.peer_authentication import namespace_mtls
from discovery.mesh.services import service
from discovery.mesh.settings import ClusterSettings, cluster_settings, mesh_locality
from discovery.registry.service import Port, Protocol, Resolution, Service
from discovery.schema.destination_rule import HTTPSettings, SimpleLB, TrafficPolicy
from discovery.schema.peer_authentication import MutualTLSMode
from discovery.translate.clusters.key import ClusterProxy, OutboundClusterKey
from discovery.translate.clusters.policy import apply_policy, circuit_breakers, http_protocol_options, speaks_http2
from discovery.translate.clusters.transport import Peer, effective_tls, transport_bytes, upstream_names
from discovery.translate.dynamic_dns import CARES, dns_family
from discovery.translate.endpoints.load_assignment import AssignmentKey, assignment_bytes
from discovery.translate.locality import balances_localities
from discovery.translate.metadata import config_path, service_metadata_bytes
from discovery.wire.envoy import Cluster, ConfigSource, DnsCluster, pack, serialize
from discovery.wire.names import outbound_cluster as cluster_name
from discovery.wire.protowire import bytes_field, string_field
from discovery.wire.resource import Resource, content_version
from discovery.wire.type_urls import CLUSTER

__all__ = ["cluster_type", "outbound_cluster"]

_DNS_TYPES: Final = frozenset({Resolution.DNS_LB.value, Resolution.DNS_ROUND_ROBIN_LB.value})
_FIELDS: Final = Cluster.DESCRIPTOR.fields_by_name
_EDS_FIELD: Final = _FIELDS["eds_cluster_config"].number
_METADATA_FIELD: Final = _FIELDS["metadata"].number
_ALT_STAT_NAME_FIELD: Final = _FIELDS["alt_stat_name"].number
_LOAD_ASSIGNMENT_FIELD: Final = _FIELDS["load_assignment"].number
_EDS_SOURCE: Final = bytes_field(
    1, serialize(ConfigSource(ads={}, initial_fetch_timeout={}, resource_api_version="V3"))
)


def cluster_type(found: Service, proxy: ClusterProxy, policy: TrafficPolicy | None) -> str:
    """Envoy's discovery type for a service; routers load-balance headless services themselves."""
    lb = policy.load_balancer if policy is not None else None
    if lb is not None and lb.simple is SimpleLB.PASSTHROUGH:
        return "ORIGINAL_DST"
    if found.resolution is Resolution.PASSTHROUGH and proxy.type != "sidecar":
        return "EDS"
    return str(found.resolution.value)


class _Shape(NamedTuple):
    """What a cluster has besides names: all clusters of a mesh without rules have a handful of shapes."""

    type: str
    protocol: Protocol
    number: int  # of the port; 0 where no rule can ask for it
    subset: str
    rule: RuleSources
    port_override: int
    ipv4: bool
    ipv6: bool
    balances: bool


@query
def _shape(db: Database, shape: _Shape) -> bytes:
    """The fields of ``Cluster`` that do not name it."""
    settings = cluster_settings(db, None)
    port = Port("", shape.number, shape.protocol)
    policy = policy_of(db, PolicyOf(shape.rule, shape.number, shape.subset))
    fields: dict[str, Any] = {
        "type": shape.type,
        "connect_timeout": settings.connect_timeout,
        "lb_policy": "CLUSTER_PROVIDED" if shape.type == "ORIGINAL_DST" else "LEAST_REQUEST",
        "circuit_breakers": circuit_breakers(None),
        # Unhealthy endpoints are sent, marked as such; Envoy must not fall back to them in panic.
        "common_lb_config": {} if shape.type == "ORIGINAL_DST" else {"healthy_panic_threshold": {}},
    }
    if shape.port_override:
        fields["original_dst_lb_config"] = {"upstream_port_override": {"value": shape.port_override}}
    if shape.type in _DNS_TYPES:
        _resolve_names(fields, shape, settings)
    if settings.tcp_keepalive is not None:
        _mesh_keepalive(fields, settings)
    if policy is not None:
        apply_policy(fields, policy, port)
    if shape.balances and balances_localities(policy, mesh_locality(db, None)):
        fields["common_lb_config"]["locality_weighted_lb_config"] = {}
    options = http_protocol_options(
        port,
        policy.connection_pool if policy is not None else None,
        upgrade=settings.http2_upgrade,
        outlier=policy.outlier_detection if policy is not None else None,
        names=upstream_names(policy.tls if policy is not None else None),
    )
    if options is not None:
        fields["typed_extension_protocol_options"] = options
    return serialize(Cluster(**fields))


def _resolve_names(fields: dict[str, Any], shape: _Shape, settings: ClusterSettings) -> None:
    # The types STRICT_DNS and LOGICAL_DNS still exist, but Envoy warns of the fields that go with them.
    del fields["type"]
    config = DnsCluster(
        dns_lookup_family=dns_family(ipv4=shape.ipv4, ipv6=shape.ipv6),
        dns_refresh_rate=settings.dns_refresh_rate,
        dns_jitter=timedelta(milliseconds=100),
        respect_dns_ttl=True,
        typed_dns_resolver_config=CARES,
        all_addresses_in_single_endpoint=shape.type == Resolution.DNS_ROUND_ROBIN_LB.value,
    )
    fields["cluster_type"] = {"name": "envoy.clusters.dns", "typed_config": pack(config)}


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


@query
def outbound_cluster(db: Database, key: OutboundClusterKey) -> Resource | None:
    """The cluster; None where it cannot be: no such port, or a DNS cluster without endpoints."""
    found = service(db, key.service)
    port = found.port(key.port) if found is not None else None
    if found is None or port is None:
        return None
    policy = policy_of(db, PolicyOf(key.rule, key.port, key.subset))
    name = cluster_name(key.service.host, key.port, key.subset)
    kind = cluster_type(found, key.proxy, policy)
    endpoints_field = _endpoints_field(db, key, kind, name)
    if endpoints_field is None:
        return None
    ruled = policy is not None
    shape = _Shape(
        type=kind,
        protocol=port.protocol,
        number=port.number if ruled else 0,
        subset=key.subset if ruled else "",
        rule=key.rule if ruled else (),
        port_override=port.target_port if kind == "ORIGINAL_DST" and port.target_port != port.number else 0,
        ipv4=key.proxy.ipv4,
        ipv6=key.proxy.ipv6,
        balances=bool(key.proxy.locality),
    )
    peer = _peer(db, key, found, port, policy)
    value = (
        string_field(1, name)
        + _shape(db, shape)
        + endpoints_field
        + transport_bytes(effective_tls(policy.tls if policy is not None else None, peer), peer)
        + bytes_field(_METADATA_FIELD, _metadata(key, found))
        + string_field(_ALT_STAT_NAME_FIELD, name + ";")
    )
    return Resource(name, content_version(value), CLUSTER, value)


def _metadata(key: OutboundClusterKey, found: Service) -> bytes:
    values: dict[str, str | bool] = {}
    if key.rule:
        values["config"] = config_path(key.rule[0])
    if key.subset:
        values["subset"] = key.subset
    if found.external:
        values["external"] = True
    return service_metadata_bytes(values, host=found.ref.host, name=found.name, namespace=found.ref.namespace)


def _endpoints_field(db: Database, key: OutboundClusterKey, kind: str, name: str) -> bytes | None:
    """Where the endpoints are: by EDS, inline, or nowhere; None when an inline cluster would have none for ever."""
    if kind == "EDS":
        return bytes_field(_EDS_FIELD, _EDS_SOURCE + string_field(2, name))
    if kind not in _DNS_TYPES:
        return b""
    inline = assignment_bytes(
        db,
        AssignmentKey(
            service=key.service, port=key.port, subset=key.subset, rule=key.rule, locality=key.proxy.locality
        ),
    )
    return bytes_field(_LOAD_ASSIGNMENT_FIELD, inline) if inline else None


def _peer(db: Database, key: OutboundClusterKey, found: Service, port: Port, policy: TrafficPolicy | None) -> Peer:
    pool = policy.connection_pool if policy is not None else None
    http = (pool.http if pool is not None else None) or HTTPSettings()
    settings = cluster_settings(db, None)
    return Peer(
        service=found,
        port=port,
        subset=key.subset,
        accounts=service_accounts(db, key.service),
        mode=_peer_mode(db, found, key),
        auto_mtls=settings.auto_mtls,
        http2=speaks_http2(port, http, upgrade=settings.http2_upgrade),
        client_certificates=key.proxy.client_certificates,
    )


def _peer_mode(db: Database, found: Service, key: OutboundClusterKey) -> MutualTLSMode:
    """What callers should expect: of headless services the endpoints themselves say."""
    if found.resolution is Resolution.PASSTHROUGH:
        known = endpoints(db, ServicePort(key.service, key.port))
        if not known or any(endpoint.tls_mode != "istio" for endpoint in known):
            return MutualTLSMode.DISABLE
    return namespace_mtls(db, found.ref.namespace)
