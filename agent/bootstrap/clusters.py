"""Static clusters: what Envoy must reach before the control plane has told it anything."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from agent.bootstrap.addresses import AddressPlan
from agent.bootstrap.json_forms import (
    HTTP2_OPTIONS,
    ClientFiles,
    hosts_load_assignment,
    pipe_load_assignment,
    split_address,
    upstream_tls,
)
from discovery.wire.durations import parse_duration
from discovery.wire.proxy_config import ProxyConfig, RemoteService, TlsSettings

__all__ = ["ClusterKey", "Sockets", "build_clusters"]

_ADS: Final = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
_MANY: Final = 100_000
_DNS_CLUSTER: Final = "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster"


class Sockets(msgspec.Struct, frozen=True, kw_only=True):
    """Unix sockets that Envoy is served at; ``sds_files`` only beside a foreign SDS server."""

    xds: str
    sds: str
    sds_files: str = ""


class ClusterKey(msgspec.Struct, frozen=True, kw_only=True):
    """All that the static clusters depend on; ``own_cluster`` only with self-discovery.

    ``dns_extension``: the Envoy to be started has ``DnsCluster`` (since 1.34), and warns of what that replaced.
    """

    config: ProxyConfig
    addresses: AddressPlan
    sockets: Sockets
    client_files: ClientFiles = ClientFiles()
    own_cluster: str = ""
    dns_extension: bool = False


def build_clusters(key: ClusterKey) -> list[dict[str, Any]]:
    """The static clusters in order.

    Raises:
        ValueError: an address is not ``host:port``.
    """
    localhost = key.addresses.localhost
    clusters = [
        _local("prometheus_stats", hosts_load_assignment("prometheus_stats", localhost, key.config.proxy_admin_port)),
        _local("agent", hosts_load_assignment("agent", localhost, key.config.status_port)),
        _grpc_pipe("sds-grpc", key.sockets.sds),
    ]
    if key.sockets.sds_files:
        clusters.append(_grpc_pipe("sds-files-grpc", key.sockets.sds_files))
    clusters.append(_xds(key.sockets.xds))
    clusters += _tracers(key)
    for name, service in (
        ("envoy_metrics_service", key.config.envoy_metrics_service),
        ("envoy_accesslog_service", key.config.envoy_access_log_service),
    ):
        if service is not None and service.address:
            clusters.append(_remote_grpc(name, service, key))
    if key.own_cluster:
        clusters.append(_self_discovery(key.own_cluster))
    return clusters


def _cluster(name: str, timeout: str, **members: Any) -> dict[str, Any]:
    return {
        "name": name,
        "alt_stat_name": name + ";",  # see stats: ";" ends a cluster's name
        "connect_timeout": timeout,
        "lb_policy": "ROUND_ROBIN",
        **members,
    }


def _local(name: str, assignment: dict[str, Any]) -> dict[str, Any]:
    return _cluster(name, "0.250s", type="STATIC", load_assignment=assignment)


def _grpc_pipe(name: str, path: str) -> dict[str, Any]:
    return _cluster(
        name,
        "1s",
        type="STATIC",
        typed_extension_protocol_options=HTTP2_OPTIONS,
        load_assignment=pipe_load_assignment(name, path),
    )


def _xds(path: str) -> dict[str, Any]:
    bound = {"max_connections": _MANY, "max_pending_requests": _MANY, "max_requests": _MANY}
    return {
        **_grpc_pipe("xds-grpc", path),
        "circuit_breakers": {"thresholds": [{"priority": "DEFAULT", **bound}, {"priority": "HIGH", **bound}]},
        "upstream_connection_options": {"tcp_keepalive": {"keepalive_time": 300}},
        "max_requests_per_connection": 1,  # each stream on a connection of its own: the agent sees its end
    }


def _named(key: ClusterKey, name: str, address: str, refresh: str = "", /, **members: Any) -> dict[str, Any]:
    """A cluster that is found by its DNS name, looked up again after ``refresh`` or when the answer's time is over."""
    host, port = split_address(address)
    dns: dict[str, Any] = {"respect_dns_ttl": True, "dns_lookup_family": key.addresses.dns_lookup_family}
    if refresh:
        dns["dns_refresh_rate"] = refresh
    kind: dict[str, Any] = {"type": "STRICT_DNS", **dns}
    if key.dns_extension:
        kind = {"cluster_type": {"name": "envoy.clusters.dns", "typed_config": {"@type": _DNS_CLUSTER, **dns}}}
    assignment = hosts_load_assignment(name, host, port)
    return _cluster(name, "1s", **kind, load_assignment=assignment, **members)


def _tracers(key: ClusterKey) -> list[dict[str, Any]]:
    tracing = key.config.tracing
    if tracing is None:
        return []
    if tracing.zipkin and tracing.zipkin.address:
        tls = upstream_tls(tracing.tls_settings, key.client_files, alpn=False)
        return [_named(key, "zipkin", tracing.zipkin.address, "30s", **tls)]
    tls = upstream_tls(tracing.tls_settings, key.client_files)
    if tracing.lightstep and tracing.lightstep.address:
        http2 = {"typed_extension_protocol_options": HTTP2_OPTIONS}
        return [_named(key, "lightstep", tracing.lightstep.address, **http2, **tls)]
    if tracing.datadog and tracing.datadog.address:
        return [_named(key, "datadog_agent", tracing.datadog.address, **tls)]
    return []


def _keepalive(service: RemoteService) -> dict[str, Any]:
    wanted = service.tcp_keepalive
    if wanted is None:
        return {}
    members = {
        "keepalive_probes": wanted.probes,
        "keepalive_time": int(parse_duration(wanted.time)) if wanted.time else 0,
        "keepalive_interval": int(parse_duration(wanted.interval)) if wanted.interval else 0,
    }
    return {"upstream_connection_options": {"tcp_keepalive": {name: value for name, value in members.items() if value}}}


def _remote_grpc(name: str, service: RemoteService, key: ClusterKey) -> dict[str, Any]:
    settings: TlsSettings | None = service.tls_settings
    return _named(
        key,
        name,
        service.address,
        typed_extension_protocol_options=HTTP2_OPTIONS,
        **upstream_tls(settings, key.client_files),
        **_keepalive(service),
    )


def _self_discovery(own_cluster: str) -> dict[str, Any]:
    """The cluster that this very proxy belongs to: zone-aware routing needs its size per zone."""
    return {
        "name": "local_cluster",
        "alt_stat_name": "local_cluster;",
        "type": "EDS",
        "eds_cluster_config": {"eds_config": _ADS, "service_name": own_cluster},
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "common_lb_config": {"zone_aware_lb_config": {"min_cluster_size": 1}},
    }
