"""Rules of DestinationRule. Those of load balancing are in ``load_balancer``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from discovery.schema.destination_rule import (
    ClientTLSMode,
    ClientTLSSettings,
    ConnectionPoolSettings,
    DestinationRule,
    H2UpgradePolicy,
    OutlierDetection,
    PortTrafficPolicy,
    TrafficPolicy,
)
from discovery.schema.meta import Object
from discovery.schema.proto_json import Problem
from discovery.validation.fields import (
    check_duration,
    check_export_to,
    check_host,
    check_labels,
    check_percent,
    check_port,
    check_selector,
    error,
    is_label,
    warning,
)
from discovery.validation.load_balancer import check_load_balancer

__all__ = ["check_destination_rule", "check_destination_rule_in"]

_MAX_SNI_BYTES: Final = 255
_CONFIG_MAP: Final = "configmap://"
_LIMITS = (
    ("http1MaxPendingRequests", "http1_max_pending_requests"),
    ("http2MaxRequests", "http2_max_requests"),
    ("maxRequestsPerConnection", "max_requests_per_connection"),
    ("maxRetries", "max_retries"),
    ("maxConcurrentStreams", "max_concurrent_streams"),
)


def check_destination_rule(spec: DestinationRule) -> Iterator[Problem]:
    """What is wrong with the policies."""
    if spec.host:
        yield from check_host(spec.host, "spec.host")
    else:
        yield error("spec.host", "want the host of a service, got none")
    if spec.traffic_policy is not None:
        yield from _policy(spec.traffic_policy, "spec.trafficPolicy")
    names: set[str] = set()
    for i, subset in enumerate(spec.subsets):
        at = f"spec.subsets[{i}]"
        if not is_label(subset.name):
            yield error(f"{at}.name", f"want a DNS label, got {subset.name!r}")
        if subset.name in names:
            yield error(f"{at}.name", f"another subset has the name {subset.name!r}", "give each its own")
        names.add(subset.name)
        yield from check_labels(subset.labels, f"{at}.labels")
        if subset.traffic_policy is not None:
            yield from _policy(subset.traffic_policy, f"{at}.trafficPolicy")
    yield from check_selector(spec.workload_selector, "spec.workloadSelector")
    yield from check_export_to(spec.export_to, "spec.exportTo")


def check_destination_rule_in(obj: Object) -> Iterator[Problem]:
    """What is wrong with the rule where it is: what it may refer to depends on its namespace."""
    spec: DestinationRule = obj.spec
    namespace = obj.meta.namespace
    elsewhere = [target for target in spec.export_to if target not in (".", namespace)]
    if spec.workload_selector is not None and elsewhere:
        hint = "a rule for some workloads is for those of its own namespace"
        yield error("spec.exportTo", f"want '.' with workloadSelector, got {elsewhere[0]!r}", hint)
    policies = [("spec.trafficPolicy", spec.traffic_policy)]
    policies += [(f"spec.subsets[{i}].trafficPolicy", subset.traffic_policy) for i, subset in enumerate(spec.subsets)]
    for at, policy in policies:
        parts: list[tuple[str, TrafficPolicy | PortTrafficPolicy]] = [(at, policy)] if policy is not None else []
        ports = policy.port_level_settings if policy is not None else ()
        parts += [(f"{at}.portLevelSettings[{i}]", port) for i, port in enumerate(ports)]
        for place, part in parts:
            name = part.tls.credential_name if part.tls is not None else ""
            own = name.removeprefix(_CONFIG_MAP).partition("/")
            if name.startswith(_CONFIG_MAP) and (not own[1] or own[0] != namespace):
                want = f"want {_CONFIG_MAP}{namespace}/name: a ConfigMap of the own namespace"
                yield error(f"{place}.tls.credentialName", f"{want}, got {name!r}")


def _policy(policy: TrafficPolicy, at: str) -> Iterator[Problem]:
    if policy == TrafficPolicy():
        yield error(at, "want at least one setting, got none", "remove the field")
    yield from _parts(policy, at)
    for i, port in enumerate(policy.port_level_settings):
        where = f"{at}.portLevelSettings[{i}]"
        if port.port is None:
            yield error(f"{where}.port", "want a port, got none")
        else:
            yield from check_port(port.port.number, f"{where}.port.number")
        if msgspec.structs.replace(port, port=None) == PortTrafficPolicy():
            yield error(where, "want at least one setting besides the port, got none", "remove the entry")
        yield from _parts(port, where)
    if policy.tunnel is not None:
        if policy.proxy_protocol is not None:
            yield error(f"{at}.tunnel", "a tunnel does not go with proxyProtocol", "remove one of them")
        if policy.tunnel.protocol not in ("", "CONNECT", "POST"):
            yield error(f"{at}.tunnel.protocol", f"want CONNECT or POST, got {policy.tunnel.protocol!r}")
        yield from check_port(policy.tunnel.target_port, f"{at}.tunnel.targetPort")
        yield from check_host(policy.tunnel.target_host, f"{at}.tunnel.targetHost", wildcard=False)
    if policy.retry_budget is not None:
        yield from check_percent(policy.retry_budget.percent, f"{at}.retryBudget.percent")


def _parts(policy: TrafficPolicy | PortTrafficPolicy, at: str) -> Iterator[Problem]:
    if policy.load_balancer is not None:
        yield from check_load_balancer(policy.load_balancer, f"{at}.loadBalancer")
        setting = policy.load_balancer.locality_lb_setting
        if setting is not None and setting.failover and policy.outlier_detection is None:
            hint = "add outlierDetection: failover needs to know which endpoints are unhealthy"
            yield warning(f"{at}.loadBalancer.localityLbSetting.failover", "has no effect by itself", hint)
    if policy.connection_pool is not None:
        yield from _pool(policy.connection_pool, f"{at}.connectionPool")
    if policy.outlier_detection is not None:
        yield from _outliers(policy.outlier_detection, f"{at}.outlierDetection")
    if policy.tls is not None:
        yield from _tls(policy.tls, f"{at}.tls")


def _pool(pool: ConnectionPoolSettings, at: str) -> Iterator[Problem]:
    if pool.tcp is None and pool.http is None:
        yield error(at, "want tcp or http, got none")
    if pool.tcp is not None:
        if pool.tcp.max_connections < 0:
            yield error(f"{at}.tcp.maxConnections", f"want 0 or more, got {pool.tcp.max_connections}")
        yield from check_duration(pool.tcp.connect_timeout, f"{at}.tcp.connectTimeout")
        yield from check_duration(pool.tcp.max_connection_duration, f"{at}.tcp.maxConnectionDuration")
    http = pool.http
    if http is None:
        return
    for name, attribute in _LIMITS:
        value = getattr(http, attribute)
        if value < 0:
            yield error(f"{at}.http.{name}", f"want 0 or more, got {value}")
    yield from check_duration(http.idle_timeout, f"{at}.http.idleTimeout")
    if http.use_client_protocol and http.h2_upgrade_policy is H2UpgradePolicy.UPGRADE:
        yield error(f"{at}.http.h2UpgradePolicy", "UPGRADE does not go with useClientProtocol", "remove one of them")
    alive = http.http2_keep_alive
    if alive is not None:
        if alive.interval is None or alive.timeout is None:
            yield error(f"{at}.http.http2KeepAlive", "want interval and timeout")
        yield from check_duration(alive.interval, f"{at}.http.http2KeepAlive.interval")
        yield from check_duration(alive.timeout, f"{at}.http.http2KeepAlive.timeout")


def _outliers(outliers: OutlierDetection, at: str) -> Iterator[Problem]:
    yield from check_duration(outliers.interval, f"{at}.interval")
    yield from check_duration(outliers.base_ejection_time, f"{at}.baseEjectionTime")
    yield from check_percent(outliers.max_ejection_percent, f"{at}.maxEjectionPercent")
    yield from check_percent(outliers.min_health_percent, f"{at}.minHealthPercent")
    if outliers.consecutive_local_origin_failures and not outliers.split_external_local_origin_errors:
        hint = "set splitExternalLocalOriginErrors: true"
        yield error(f"{at}.consecutiveLocalOriginFailures", "has no effect by itself", hint)
    if outliers.consecutive_errors:
        yield warning(f"{at}.consecutiveErrors", "is deprecated", "use consecutive5xxErrors")


def _tls(tls: ClientTLSSettings, at: str) -> Iterator[Problem]:
    if len(tls.sni.encode()) > _MAX_SNI_BYTES:
        yield error(f"{at}.sni", f"want at most {_MAX_SNI_BYTES} bytes, got {len(tls.sni.encode())}")
    files = bool(tls.client_certificate or tls.private_key or tls.ca_certificates)
    if tls.mode in (ClientTLSMode.SIMPLE, ClientTLSMode.MUTUAL) and tls.credential_name and files:
        yield error(f"{at}.credentialName", "does not go with files of certificates", "remove one of them")
    elif tls.mode is ClientTLSMode.MUTUAL and not tls.credential_name:
        if not tls.client_certificate:
            yield error(f"{at}.clientCertificate", "want the path of a certificate with mode MUTUAL, got none")
        if not tls.private_key:
            yield error(f"{at}.privateKey", "want the path of a key with mode MUTUAL, got none")
    if tls.insecure_skip_verify and (tls.ca_certificates or tls.subject_alt_names):
        yield error(f"{at}.insecureSkipVerify", "does not go with caCertificates or subjectAltNames")
