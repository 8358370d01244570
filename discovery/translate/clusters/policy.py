"""DestinationRule traffic policy laid over a cluster: connection pool, load balancing, outlier detection.

Spec: https://istio.io/latest/docs/reference/config/networking/destination-rule/
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from discovery.registry.service import Port, ProtocolClass
from discovery.schema.destination_rule import (
    ConnectionPoolSettings,
    H2UpgradePolicy,
    HTTPSettings,
    LoadBalancerSettings,
    OutlierDetection,
    SimpleLB,
    TCPSettings,
    TrafficPolicy,
)
from discovery.wire.envoy import HttpProtocolOptions, pack

__all__ = ["HTTP_OPTIONS", "UNLIMITED", "apply_policy", "circuit_breakers", "http_protocol_options", "speaks_http2"]

HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_AGGRESSION_KEY: Final = "lb.aggression"  # Envoy asks for one; no name in it, for clusters without names share shapes
UNLIMITED: Final = 4294967295  # the largest uint32; Envoy's own default of 1024 would surprise users of a mesh

_SIMPLE_LB: Final = {
    None: "LEAST_REQUEST",
    SimpleLB.UNSPECIFIED: "LEAST_REQUEST",
    SimpleLB.LEAST_CONN: "LEAST_REQUEST",
    SimpleLB.LEAST_REQUEST: "LEAST_REQUEST",
    SimpleLB.RANDOM: "RANDOM",
    SimpleLB.ROUND_ROBIN: "ROUND_ROBIN",
    SimpleLB.PASSTHROUGH: "CLUSTER_PROVIDED",
}


def _uint(value: int) -> dict[str, int]:
    return {"value": value}


def _seconds(value: timedelta) -> dict[str, int]:
    return _uint(min(int(value.total_seconds()), UNLIMITED))


def circuit_breakers(pool: ConnectionPoolSettings | None, policy: TrafficPolicy | None = None) -> dict[str, Any]:
    """One threshold for the default priority; what is not limited is unlimited."""
    tcp = (pool.tcp if pool else None) or TCPSettings()
    http = (pool.http if pool else None) or HTTPSettings()
    threshold: dict[str, Any] = {
        "max_connections": _uint(tcp.max_connections or UNLIMITED),
        "max_pending_requests": _uint(http.http1_max_pending_requests or UNLIMITED),
        "max_requests": _uint(http.http2_max_requests or UNLIMITED),
        "max_retries": _uint(http.max_retries or UNLIMITED),
    }
    budget = policy.retry_budget if policy is not None else None
    if budget is not None:
        threshold["retry_budget"] = {
            "budget_percent": {"value": 20.0 if budget.percent is None else budget.percent},
            "min_retry_concurrency": _uint(budget.min_retry_concurrency or 3),
        }
    return {"thresholds": [threshold]}


def http_protocol_options(
    port: Port | None,
    pool: ConnectionPoolSettings | None,
    *,
    upgrade: bool,
    outlier: OutlierDetection | None = None,
    names: dict[str, Any] | None = None,
) -> dict[str, Any] | None:
    """``typed_extension_protocol_options`` of the cluster, None when Envoy's defaults (HTTP/1) will do.

    Args:
        port: the service port; None for an inbound or passthrough cluster that follows the downstream protocol.
        pool: connection pool settings in force.
        upgrade: the mesh-wide ``h2UpgradePolicy`` asks for HTTP/2.
        outlier: may name the HTTP codes that count as errors.
        names: ``UpstreamHttpProtocolOptions``, where server names come from requests.
    """
    http = (pool.http if pool else None) or HTTPSettings()
    common = _common_options(http, (pool.tcp if pool else None) or TCPSettings())
    options: dict[str, Any] = {"common_http_protocol_options": common} if common else {}
    if names:
        options["upstream_http_protocol_options"] = names
    if outlier is not None and outlier.outlier_detection_http_error_codes:
        options["outlier_detection"] = _error_matcher(outlier.outlier_detection_http_error_codes)
    sniffed = port is None or port.protocol.family is ProtocolClass.AUTO
    if http.use_client_protocol or (sniffed and http.h2_upgrade_policy is not H2UpgradePolicy.UPGRADE):
        options["use_downstream_protocol_config"] = {"http_protocol_options": {}, "http2_protocol_options": {}}
    elif speaks_http2(port, http, upgrade=upgrade):
        options["explicit_http_config"] = {"http2_protocol_options": _http2_options(http)}
    elif options:
        options["explicit_http_config"] = {"http_protocol_options": {}}
    return {HTTP_OPTIONS: pack(HttpProtocolOptions(**options))} if options else None


def speaks_http2(port: Port | None, http: HTTPSettings, *, upgrade: bool) -> bool:
    """Whether upstream connections are HTTP/2 by the port's protocol or by policy."""
    if port is not None and port.protocol.is_http2:
        return True
    if http.h2_upgrade_policy is H2UpgradePolicy.UPGRADE:
        return True
    by_mesh = upgrade and http.h2_upgrade_policy is H2UpgradePolicy.DEFAULT
    return by_mesh and port is not None and port.protocol.family is ProtocolClass.HTTP


def _common_options(http: HTTPSettings, tcp: TCPSettings) -> dict[str, Any]:
    options: dict[str, Any] = {}
    idle = http.idle_timeout if http.idle_timeout is not None else tcp.idle_timeout
    if idle is not None:
        options["idle_timeout"] = idle
    if http.max_requests_per_connection:
        options["max_requests_per_connection"] = _uint(http.max_requests_per_connection)
    if tcp.max_connection_duration is not None:
        options["max_connection_duration"] = tcp.max_connection_duration
    return options


def _http2_options(http: HTTPSettings) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if http.max_concurrent_streams:
        options["max_concurrent_streams"] = _uint(http.max_concurrent_streams)
    keepalive = http.http2_keep_alive
    if keepalive is not None:
        options["connection_keepalive"] = {
            name: value for name in ("interval", "timeout") if (value := getattr(keepalive, name)) is not None
        }
    return options


def _error_matcher(codes: tuple[int, ...]) -> dict[str, Any]:
    rules = [
        {"http_response_headers_match": {"headers": [{"name": ":status", "string_match": {"exact": str(code)}}]}}
        for code in codes
    ]
    return {"error_matcher": rules[0] if len(rules) == 1 else {"or_match": {"rules": rules}}}


def apply_policy(cluster: dict[str, Any], policy: TrafficPolicy, port: Port) -> None:
    """Lay a traffic policy over the keyword form of a cluster (all but TLS and HTTP options)."""
    pool = policy.connection_pool
    if pool is not None or policy.retry_budget is not None:
        cluster["circuit_breakers"] = circuit_breakers(pool, policy)
    if pool is not None and pool.tcp is not None:
        _apply_tcp(cluster, pool.tcp)
    if policy.outlier_detection is not None:
        _apply_outlier_detection(cluster, policy.outlier_detection)
    if policy.load_balancer is not None:
        _apply_load_balancer(cluster, policy.load_balancer, port)


def _apply_tcp(cluster: dict[str, Any], tcp: TCPSettings) -> None:
    if tcp.connect_timeout is not None:
        cluster["connect_timeout"] = tcp.connect_timeout
    keepalive = tcp.tcp_keepalive
    if keepalive is None:
        return
    options: dict[str, Any] = {}
    if keepalive.probes:
        options["keepalive_probes"] = _uint(keepalive.probes)
    if keepalive.time is not None:
        options["keepalive_time"] = _seconds(keepalive.time)
    if keepalive.interval is not None:
        options["keepalive_interval"] = _seconds(keepalive.interval)
    cluster["upstream_connection_options"] = {"tcp_keepalive": options}


def _apply_outlier_detection(cluster: dict[str, Any], outlier: OutlierDetection) -> None:
    out: dict[str, Any] = {"enforcing_success_rate": _uint(0)}
    for source, target in (
        (outlier.consecutive_5xx_errors, "consecutive_5xx"),
        (outlier.consecutive_gateway_errors, "consecutive_gateway_failure"),
    ):
        if source is not None:
            if source:
                out[target] = _uint(source)
            out[f"enforcing_{target}"] = _uint(100 if source else 0)
    if outlier.interval is not None:
        out["interval"] = outlier.interval
    if outlier.base_ejection_time is not None:
        out["base_ejection_time"] = outlier.base_ejection_time
    if outlier.max_ejection_percent:
        out["max_ejection_percent"] = _uint(outlier.max_ejection_percent)
    if outlier.split_external_local_origin_errors:
        out["split_external_local_origin_errors"] = True
        if outlier.consecutive_local_origin_failures is not None:
            out["consecutive_local_origin_failure"] = _uint(outlier.consecutive_local_origin_failures)
            out["enforcing_consecutive_local_origin_failure"] = _uint(100)
        out["enforcing_local_origin_success_rate"] = _uint(0)
    cluster["outlier_detection"] = out
    if outlier.min_health_percent >= 0:
        # Envoy's panic mode would send traffic to ejected hosts; Istio's default of 0 turns it off.
        cluster["common_lb_config"]["healthy_panic_threshold"] = {"value": float(outlier.min_health_percent)}


def _apply_load_balancer(cluster: dict[str, Any], lb: LoadBalancerSettings, port: Port) -> None:
    if cluster.get("type") == "ORIGINAL_DST":
        return  # connections go where they were going, so there is nothing to choose, and Envoy refuses a choice
    consistent = lb.consistent_hash
    if consistent is not None:
        if consistent.maglev is not None:
            cluster["lb_policy"] = "MAGLEV"
            if consistent.maglev.table_size:
                cluster["maglev_lb_config"] = {"table_size": _uint(consistent.maglev.table_size)}
        else:
            ring = consistent.ring_hash.minimum_ring_size if consistent.ring_hash is not None else None
            cluster["lb_policy"] = "RING_HASH"
            cluster["ring_hash_lb_config"] = {"minimum_ring_size": _uint(ring or consistent.minimum_ring_size or 1024)}
    else:
        cluster["lb_policy"] = _SIMPLE_LB[lb.simple]
        if lb.simple is SimpleLB.PASSTHROUGH:
            cluster["type"] = "ORIGINAL_DST"
            cluster.pop("eds_cluster_config", None)
            cluster.pop("load_assignment", None)
    _apply_slow_start(cluster, lb)


def _apply_slow_start(cluster: dict[str, Any], lb: LoadBalancerSettings) -> None:
    window: timedelta | None = lb.warmup.duration if lb.warmup is not None else lb.warmup_duration_secs
    config = {"LEAST_REQUEST": "least_request_lb_config", "ROUND_ROBIN": "round_robin_lb_config"}.get(
        cluster["lb_policy"]
    )
    if window is None or config is None:
        return
    slow: dict[str, Any] = {"slow_start_window": window}
    if lb.warmup is not None:
        if lb.warmup.minimum_percent is not None:
            slow["min_weight_percent"] = {"value": lb.warmup.minimum_percent}
        if lb.warmup.aggression is not None:
            slow["aggression"] = {
                "default_value": lb.warmup.aggression,
                "runtime_key": _AGGRESSION_KEY,
            }
    cluster[config] = {"slow_start_config": slow}
