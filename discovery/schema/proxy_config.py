"""ProxyConfig: settings of one proxy, as in ``meshConfig.defaultConfig`` and the annotation ``proxy.istio.io/config``.

``ProxyConfig()`` has Istio's defaults; what is written replaces them field by field.

Spec: https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from discovery.schema.destination_rule import ClientTLSSettings, TcpKeepalive
from discovery.schema.message import Message, ProtoEnum, UInt32
from discovery.schema.telemetry import CustomTag

__all__ = [
    "AuthenticationPolicy",
    "ForwardClientCertDetails",
    "ProxyConfig",
    "ProxyHeaderSetting",
    "ProxyHeaders",
    "ProxyStatsMatcher",
    "ProxyTracing",
    "RemoteService",
    "Topology",
    "TracingAddress",
    "TracingServiceName",
]


class TracingServiceName(ProtoEnum):
    """How the service name in spans is made."""

    APP_LABEL_AND_NAMESPACE = "APP_LABEL_AND_NAMESPACE"
    CANONICAL_NAME_ONLY = "CANONICAL_NAME_ONLY"
    CANONICAL_NAME_AND_NAMESPACE = "CANONICAL_NAME_AND_NAMESPACE"


class AuthenticationPolicy(ProtoEnum):
    """How the proxy connects to the control plane."""

    NONE = "NONE"
    MUTUAL_TLS = "MUTUAL_TLS"


class ForwardClientCertDetails(ProtoEnum):
    """What is done with ``x-forwarded-client-cert``."""

    UNDEFINED = "UNDEFINED"
    SANITIZE = "SANITIZE"
    FORWARD_ONLY = "FORWARD_ONLY"
    APPEND_FORWARD = "APPEND_FORWARD"
    SANITIZE_SET = "SANITIZE_SET"
    ALWAYS_FORWARD_ONLY = "ALWAYS_FORWARD_ONLY"


class Topology(Message, frozen=True, kw_only=True):
    """Trusted proxies in front of a gateway."""

    num_trusted_proxies: UInt32 = 0
    forward_client_cert_details: ForwardClientCertDetails = ForwardClientCertDetails.UNDEFINED
    proxy_protocol: Mapping[str, Any] | None = None


class RemoteService(Message, frozen=True, kw_only=True):
    """A service that Envoy itself calls (access log or metrics service)."""

    address: str = ""
    tls_settings: ClientTLSSettings | None = None
    tcp_keepalive: TcpKeepalive | None = None


class TracingAddress(Message, frozen=True, kw_only=True):
    """Address of a tracing backend."""

    address: str = ""


class ProxyTracing(Message, frozen=True, kw_only=True):
    """Tracing by the bootstrap; ``sampling`` in percent, 0 means the default of 1."""

    oneofs = (("zipkin", "lightstep", "datadog", "stackdriver", "open_census_agent"),)

    zipkin: TracingAddress | None = None
    lightstep: Mapping[str, Any] | None = None
    datadog: TracingAddress | None = None
    stackdriver: Mapping[str, Any] | None = None
    open_census_agent: Mapping[str, Any] | None = None
    custom_tags: Mapping[str, CustomTag] = {}
    max_path_tag_length: UInt32 = 0
    sampling: float = 0.0
    tls_settings: ClientTLSSettings | None = None
    enable_istio_tags: bool | None = None


class ProxyStatsMatcher(Message, frozen=True, kw_only=True):
    """Further Envoy statistics to keep."""

    inclusion_prefixes: tuple[str, ...] = ()
    inclusion_suffixes: tuple[str, ...] = ()
    inclusion_regexps: tuple[str, ...] = ()


class ProxyHeaderSetting(Message, frozen=True, kw_only=True):
    """A header that the proxy may add."""

    disabled: bool | None = None
    value: str = ""


class ProxyHeaders(Message, frozen=True, kw_only=True):
    """Headers that the proxy adds or leaves out."""

    forwarded_client_cert: ForwardClientCertDetails = ForwardClientCertDetails.UNDEFINED
    set_current_client_cert_details: Mapping[str, bool] | None = None
    request_id: ProxyHeaderSetting | None = None
    server: ProxyHeaderSetting | None = None
    attempt_count: ProxyHeaderSetting | None = None
    envoy_debug_headers: ProxyHeaderSetting | None = None
    metadata_exchange_headers: Mapping[str, Any] | None = None
    preserve_http1_header_case: bool | None = None
    x_forwarded_host: ProxyHeaderSetting | None = None
    x_forwarded_port: ProxyHeaderSetting | None = None


class ProxyConfig(Message, frozen=True, kw_only=True):
    """Settings of one proxy."""

    oneofs = (("service_cluster", "tracing_service_name"),)

    config_path: str = "./etc/istio/proxy"
    binary_path: str = "/usr/local/bin/envoy"
    service_cluster: str | None = "istio-proxy"
    tracing_service_name: TracingServiceName | None = None
    drain_duration: timedelta | None = timedelta(seconds=45)
    discovery_address: str = "istiod.istio-system.svc:15012"
    zipkin_address: str = ""  # deprecated
    statsd_udp_address: str = ""
    proxy_admin_port: int = 15000
    control_plane_auth_policy: AuthenticationPolicy = AuthenticationPolicy.MUTUAL_TLS
    custom_config_file: str = ""
    stat_name_length: int = 189
    concurrency: int | None = None
    proxy_bootstrap_template_path: str = ""
    interception_mode: str = "REDIRECT"
    tracing: ProxyTracing | None = None
    sds: Mapping[str, Any] | None = None  # deprecated
    envoy_access_log_service: RemoteService | None = None
    envoy_metrics_service: RemoteService | None = None
    envoy_metrics_service_address: str = ""  # deprecated
    proxy_metadata: Mapping[str, str] = {}
    runtime_values: Mapping[str, str] = {}
    status_port: int = 15020
    extra_stat_tags: tuple[str, ...] = ()
    gateway_topology: Topology | None = None
    termination_drain_duration: timedelta | None = timedelta(seconds=5)
    mesh_id: str = ""
    readiness_probe: Mapping[str, Any] | None = None
    proxy_stats_matcher: ProxyStatsMatcher | None = None
    hold_application_until_proxy_starts: bool | None = None
    ca_certificates_pem: tuple[str, ...] = ()
    image: Mapping[str, Any] | None = None
    private_key_provider: Mapping[str, Any] | None = None
    proxy_headers: ProxyHeaders | None = None
    file_flush_interval: timedelta | None = None
    file_flush_min_size_kb: UInt32 | None = None
    stats_compression: bool | None = None
    stats_eviction_interval: timedelta | None = None
