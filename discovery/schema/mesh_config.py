"""MeshConfig: settings of the whole mesh. ``MeshConfig()`` has Istio's defaults.

Spec: https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from discovery.schema.destination_rule import (
    ClientTLSSettings,
    ConnectionPoolSettings,
    LocalityLoadBalancerSetting,
    OutlierDetection,
    TcpKeepalive,
)
from discovery.schema.extension_providers import (
    EnvoyFileAccessLogProvider,
    ExtensionProvider,
    PrometheusMetricsProvider,
    StackdriverProvider,
)
from discovery.schema.message import Message, ProtoEnum
from discovery.schema.proxy_config import ProxyConfig
from discovery.schema.server_tls import TLSProtocol
from discovery.schema.sidecar import OutboundTrafficPolicy, OutboundTrafficPolicyMode
from discovery.schema.virtual_service import HTTPRetry

__all__ = [
    "CA",
    "AccessLogEncoding",
    "CertificateData",
    "ConfigSource",
    "DefaultProviders",
    "DefaultTrafficPolicy",
    "InboundTrafficPolicy",
    "InboundTrafficPolicyMode",
    "IngressControllerMode",
    "LabelSelector",
    "LabelSelectorOperator",
    "LabelSelectorRequirement",
    "MeshConfig",
    "MeshH2UpgradePolicy",
    "NormalizationType",
    "ProxyPathNormalization",
    "ServiceSettings",
    "ServiceSettingsSettings",
    "TLSConfig",
]


class IngressControllerMode(ProtoEnum):
    """Which Kubernetes Ingress objects are read."""

    UNSPECIFIED = "UNSPECIFIED"
    OFF = "OFF"
    DEFAULT = "DEFAULT"
    STRICT = "STRICT"


class AccessLogEncoding(ProtoEnum):
    """Form of access log lines."""

    TEXT = "TEXT"
    JSON = "JSON"


class InboundTrafficPolicyMode(ProtoEnum):
    """Where inbound traffic is sent: the pod's own address, or localhost."""

    PASSTHROUGH = "PASSTHROUGH"
    LOCALHOST = "LOCALHOST"


class InboundTrafficPolicy(Message, frozen=True, kw_only=True):
    """Where inbound traffic is sent."""

    mode: InboundTrafficPolicyMode = InboundTrafficPolicyMode.PASSTHROUGH


class ConfigSource(Message, frozen=True, kw_only=True):
    """A source of configuration: ``fs:///path``, ``k8s://`` or ``xds://host:port``."""

    address: str = ""
    tls_settings: ClientTLSSettings | None = None
    subscribed_resources: tuple[str, ...] = ()


class CertificateData(Message, frozen=True, kw_only=True):
    """A further root certificate, for some signers and trust domains (neither: all)."""

    oneofs = (("pem", "spiffe_bundle_url"),)

    pem: str | None = None
    spiffe_bundle_url: str | None = None
    cert_signers: tuple[str, ...] = ()
    trust_domains: tuple[str, ...] = ()


class MeshH2UpgradePolicy(ProtoEnum):
    """Whether HTTP/1.1 is upgraded to HTTP/2 upstream, mesh-wide."""

    DO_NOT_UPGRADE = "DO_NOT_UPGRADE"
    UPGRADE = "UPGRADE"


class CA(Message, frozen=True, kw_only=True):
    """A certificate authority outside."""

    address: str = ""
    tls_settings: ClientTLSSettings | None = None
    request_timeout: timedelta | None = None
    istiod_side: bool = False


class DefaultProviders(Message, frozen=True, kw_only=True):
    """Extension providers used where Telemetry names none."""

    tracing: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    access_logging: tuple[str, ...] = ()


class LabelSelectorOperator(ProtoEnum):
    """Operators of a label requirement, as Kubernetes spells them."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class LabelSelectorRequirement(Message, frozen=True, kw_only=True):
    """A requirement on one label."""

    key: str = ""
    operator: LabelSelectorOperator = LabelSelectorOperator.IN
    values: tuple[str, ...] = ()


class LabelSelector(Message, frozen=True, kw_only=True):
    """A Kubernetes label selector."""

    match_labels: Mapping[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class NormalizationType(ProtoEnum):
    """How paths are normalised before anything looks at them; DEFAULT means BASE."""

    DEFAULT = "DEFAULT"
    NONE = "NONE"
    BASE = "BASE"
    MERGE_SLASHES = "MERGE_SLASHES"
    DECODE_AND_MERGE_SLASHES = "DECODE_AND_MERGE_SLASHES"


class ProxyPathNormalization(Message, frozen=True, kw_only=True):
    """Path normalisation."""

    normalization: NormalizationType = NormalizationType.DEFAULT


class TLSConfig(Message, frozen=True, kw_only=True):
    """TLS parameters."""

    min_protocol_version: TLSProtocol = TLSProtocol.TLS_AUTO
    ecdh_curves: tuple[str, ...] = ()
    cipher_suites: tuple[str, ...] = ()


class ServiceSettingsSettings(Message, frozen=True, kw_only=True):
    """Settings of some services."""

    cluster_local: bool = False


class ServiceSettings(Message, frozen=True, kw_only=True):
    """Settings of the services with these hosts; a host may begin with ``*.``."""

    settings: ServiceSettingsSettings | None = None
    hosts: tuple[str, ...] = ()


class DefaultTrafficPolicy(Message, frozen=True, kw_only=True):
    """What applies to all destinations where DestinationRules say nothing."""

    connection_pool: ConnectionPoolSettings | None = None
    outlier_detection: OutlierDetection | None = None


_EXTENSION_PROVIDERS = (
    ExtensionProvider(name="prometheus", prometheus=PrometheusMetricsProvider()),
    ExtensionProvider(name="stackdriver", stackdriver=StackdriverProvider()),
    ExtensionProvider(name="envoy", envoy_file_access_log=EnvoyFileAccessLogProvider(path="/dev/stdout")),
)


class MeshConfig(Message, frozen=True, kw_only=True):
    """Settings of the whole mesh."""

    proxy_listen_port: int = 15001
    proxy_inbound_listen_port: int = 15006
    proxy_http_port: int = 0
    connect_timeout: timedelta = timedelta(seconds=10)
    protocol_detection_timeout: timedelta = timedelta(0)
    tcp_keepalive: TcpKeepalive | None = None
    ingress_class: str = "istio"
    ingress_service: str = "istio-ingressgateway"
    ingress_controller_mode: IngressControllerMode = IngressControllerMode.STRICT
    ingress_selector: str = ""
    enable_tracing: bool = True
    access_log_file: str = ""
    access_log_format: str = ""
    access_log_encoding: AccessLogEncoding = AccessLogEncoding.TEXT
    enable_envoy_access_log_service: bool = False
    disable_envoy_listener_log: bool = False
    default_config: ProxyConfig = ProxyConfig()
    outbound_traffic_policy: OutboundTrafficPolicy = OutboundTrafficPolicy(mode=OutboundTrafficPolicyMode.ALLOW_ANY)
    inbound_traffic_policy: InboundTrafficPolicy = InboundTrafficPolicy()
    config_sources: tuple[ConfigSource, ...] = ()
    enable_auto_mtls: bool = True
    trust_domain: str = "cluster.local"
    trust_domain_aliases: tuple[str, ...] = ()
    ca_certificates: tuple[CertificateData, ...] = ()
    default_service_export_to: tuple[str, ...] = ("*",)
    default_virtual_service_export_to: tuple[str, ...] = ("*",)
    default_destination_rule_export_to: tuple[str, ...] = ("*",)
    root_namespace: str = "istio-system"
    locality_lb_setting: LocalityLoadBalancerSetting = LocalityLoadBalancerSetting(enabled=True)
    dns_refresh_rate: timedelta = timedelta(seconds=60)
    h2_upgrade_policy: MeshH2UpgradePolicy = MeshH2UpgradePolicy.DO_NOT_UPGRADE
    inbound_cluster_stat_name: str = ""
    outbound_cluster_stat_name: str = ""
    certificates: tuple[Mapping[str, Any], ...] = ()  # deprecated
    thrift_config: Mapping[str, Any] | None = None  # deprecated
    enable_prometheus_merge: bool = True
    verify_certificate_at_client: bool | None = None
    ca: CA | None = None
    extension_providers: tuple[ExtensionProvider, ...] = _EXTENSION_PROVIDERS
    default_providers: DefaultProviders = DefaultProviders()
    discovery_selectors: tuple[LabelSelector, ...] = ()
    path_normalization: ProxyPathNormalization = ProxyPathNormalization()
    default_http_retry_policy: HTTPRetry | None = None
    default_inbound_http_retry_policy: HTTPRetry | None = None
    default_traffic_policy: DefaultTrafficPolicy | None = None
    mesh_mtls: TLSConfig | None = msgspec.field(name="meshMTLS", default=None)
    tls_defaults: TLSConfig | None = None
    service_settings: tuple[ServiceSettings, ...] = ()
    service_scope_configs: tuple[Mapping[str, Any], ...] = ()  # ambient
