"""DestinationRule: what happens to traffic of a host after routing has chosen it.

Spec: https://istio.io/latest/docs/reference/config/networking/destination-rule/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

import msgspec

from discovery.schema.message import Message, ProtoEnum, UInt32, UInt64
from discovery.schema.selector import PolicySelector, PortSelector

__all__ = [
    "BackendUtilizationLB",
    "ClientTLSMode",
    "ClientTLSSettings",
    "ConnectionPoolSettings",
    "ConsistentHashLB",
    "DestinationRule",
    "Distribute",
    "Failover",
    "H2UpgradePolicy",
    "HTTPCookie",
    "HTTPCookieAttribute",
    "HTTPSettings",
    "KeepaliveSettings",
    "LoadBalancerSettings",
    "LocalityLoadBalancerSetting",
    "MagLev",
    "OutlierDetection",
    "PortTrafficPolicy",
    "ProxyProtocol",
    "ProxyProtocolVersion",
    "RetryBudget",
    "RingHash",
    "SimpleLB",
    "Subset",
    "TCPSettings",
    "TcpKeepalive",
    "TrafficPolicy",
    "TunnelSettings",
    "WarmupConfiguration",
    "ZoneAwareLoadBalancerSetting",
]


class SimpleLB(ProtoEnum):
    """Algorithms without parameters; LEAST_CONN is the old name of LEAST_REQUEST."""

    UNSPECIFIED = "UNSPECIFIED"
    LEAST_CONN = "LEAST_CONN"
    RANDOM = "RANDOM"
    PASSTHROUGH = "PASSTHROUGH"
    ROUND_ROBIN = "ROUND_ROBIN"
    LEAST_REQUEST = "LEAST_REQUEST"


class HTTPCookieAttribute(Message, frozen=True, kw_only=True):
    """A further attribute of the cookie."""

    required = ("name",)

    name: str = ""
    value: str = ""


class HTTPCookie(Message, frozen=True, kw_only=True):
    """A cookie to hash; without a ``ttl`` it is not generated when missing."""

    required = ("name",)

    name: str = ""
    path: str = ""
    ttl: timedelta | None = None
    attributes: tuple[HTTPCookieAttribute, ...] = ()


class RingHash(Message, frozen=True, kw_only=True):
    """Parameters of the ring hash algorithm."""

    minimum_ring_size: UInt64 = 0


class MagLev(Message, frozen=True, kw_only=True):
    """Parameters of the Maglev algorithm."""

    table_size: UInt64 = 0


class ConsistentHashLB(Message, frozen=True, kw_only=True):
    """Equal keys go to equal endpoints while they are there."""

    oneofs = (
        ("http_header_name", "http_cookie", "use_source_ip", "http_query_parameter_name"),
        ("ring_hash", "maglev"),
    )

    http_header_name: str | None = None
    http_cookie: HTTPCookie | None = None
    use_source_ip: bool | None = None
    http_query_parameter_name: str | None = None
    ring_hash: RingHash | None = None
    maglev: MagLev | None = None
    minimum_ring_size: UInt64 = 0  # deprecated


class BackendUtilizationLB(Message, frozen=True, kw_only=True):
    """Weights from the load that backends report (ORCA)."""

    error_utilization_penalty_percent: UInt32 | None = None
    metric_names_for_computing_utilization: tuple[str, ...] = ()
    weight_expiration_period: timedelta | None = None
    weight_stabilization_period: timedelta | None = None
    weight_update_period: timedelta | None = None


class Distribute(Message, frozen=True, kw_only=True):
    """Percentages of traffic from one locality to others."""

    from_: str = msgspec.field(name="from", default="")
    to: Mapping[str, UInt32] = {}


class Failover(Message, frozen=True, kw_only=True):
    """The region that takes over from another."""

    from_: str = msgspec.field(name="from", default="")
    to: str = ""


class LocalityLoadBalancerSetting(Message, frozen=True, kw_only=True):
    """Preference for near endpoints; ``enabled`` None means yes."""

    distribute: tuple[Distribute, ...] = ()
    failover: tuple[Failover, ...] = ()
    failover_priority: tuple[str, ...] = ()
    enabled: bool | None = None


class ZoneAwareLoadBalancerSetting(Message, frozen=True, kw_only=True):
    """Zone-aware routing by Envoy itself."""

    enabled: bool | None = None
    failover: tuple[Failover, ...] = ()
    failover_priority: tuple[str, ...] = ()
    min_cluster_size: Annotated[int, msgspec.Meta(ge=1, le=2**32 - 1)] | None = None


class WarmupConfiguration(Message, frozen=True, kw_only=True):
    """Slow start of new endpoints."""

    required = ("duration",)

    duration: timedelta | None = None
    minimum_percent: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    aggression: Annotated[float, msgspec.Meta(ge=0)] | None = None


class LoadBalancerSettings(Message, frozen=True, kw_only=True):
    """How endpoints are chosen."""

    oneofs = (("simple", "consistent_hash", "backend_utilization"),)

    simple: SimpleLB | None = None
    consistent_hash: ConsistentHashLB | None = None
    backend_utilization: BackendUtilizationLB | None = None
    locality_lb_setting: LocalityLoadBalancerSetting | None = None
    zone_aware_lb_setting: ZoneAwareLoadBalancerSetting | None = None
    warmup_duration_secs: timedelta | None = None  # deprecated
    warmup: WarmupConfiguration | None = None


class TcpKeepalive(Message, frozen=True, kw_only=True):
    """Keepalive probes on TCP connections; what is not set is the operating system's."""

    probes: UInt32 = 0
    time: timedelta | None = None
    interval: timedelta | None = None


class TCPSettings(Message, frozen=True, kw_only=True):
    """Limits of upstream connections."""

    max_connections: int = 0
    connect_timeout: timedelta | None = None
    tcp_keepalive: TcpKeepalive | None = None
    max_connection_duration: timedelta | None = None
    idle_timeout: timedelta | None = None


class H2UpgradePolicy(ProtoEnum):
    """Whether HTTP/1.1 is upgraded to HTTP/2 upstream."""

    DEFAULT = "DEFAULT"
    DO_NOT_UPGRADE = "DO_NOT_UPGRADE"
    UPGRADE = "UPGRADE"


class KeepaliveSettings(Message, frozen=True, kw_only=True):
    """HTTP/2 PING keepalive."""

    interval: timedelta | None = None
    timeout: timedelta | None = None


class HTTPSettings(Message, frozen=True, kw_only=True):
    """Limits of upstream requests."""

    http1_max_pending_requests: int = 0
    http2_max_requests: int = 0
    max_requests_per_connection: int = 0
    max_retries: int = 0
    idle_timeout: timedelta | None = None
    h2_upgrade_policy: H2UpgradePolicy = H2UpgradePolicy.DEFAULT
    use_client_protocol: bool = False
    max_concurrent_streams: int = 0
    http2_keep_alive: KeepaliveSettings | None = None


class ConnectionPoolSettings(Message, frozen=True, kw_only=True):
    """Connection pool and circuit breakers."""

    tcp: TCPSettings | None = None
    http: HTTPSettings | None = None


class OutlierDetection(Message, frozen=True, kw_only=True):
    """When an endpoint is ejected, and for how long."""

    consecutive_errors: int = 0  # deprecated
    split_external_local_origin_errors: bool = False
    consecutive_local_origin_failures: UInt32 | None = None
    consecutive_gateway_errors: UInt32 | None = None
    consecutive_5xx_errors: UInt32 | None = msgspec.field(name="consecutive5xxErrors", default=None)
    interval: timedelta | None = None
    base_ejection_time: timedelta | None = None
    max_ejection_percent: int = 0
    min_health_percent: int = 0
    outlier_detection_http_error_codes: tuple[Annotated[int, msgspec.Meta(ge=100, le=599)], ...] = ()


class ClientTLSMode(ProtoEnum):
    """Whether and how TLS is spoken to the upstream."""

    DISABLE = "DISABLE"
    SIMPLE = "SIMPLE"
    MUTUAL = "MUTUAL"
    ISTIO_MUTUAL = "ISTIO_MUTUAL"


class ClientTLSSettings(Message, frozen=True, kw_only=True):
    """TLS to the upstream."""

    mode: ClientTLSMode = ClientTLSMode.DISABLE
    client_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    credential_name: str = ""
    subject_alt_names: tuple[str, ...] = ()
    sni: str = ""
    insecure_skip_verify: bool | None = None
    ca_crl: str = ""


class TunnelSettings(Message, frozen=True, kw_only=True):
    """Tunnel TCP through an HTTP proxy (CONNECT or POST)."""

    protocol: str = ""
    target_host: str = ""
    target_port: UInt32 = 0


class ProxyProtocolVersion(ProtoEnum):
    """Version of the PROXY protocol."""

    V1 = "V1"
    V2 = "V2"


class ProxyProtocol(Message, frozen=True, kw_only=True):
    """Begin upstream connections with a PROXY protocol header."""

    version: ProxyProtocolVersion = ProxyProtocolVersion.V1


class RetryBudget(Message, frozen=True, kw_only=True):
    """Retries in proportion to active requests."""

    percent: float | None = None
    min_retry_concurrency: UInt32 = 0
    budget_interval: timedelta | None = None


class PortTrafficPolicy(Message, frozen=True, kw_only=True):
    """The policy of one port; it replaces the destination's, field by field at the top level."""

    port: PortSelector | None = None
    load_balancer: LoadBalancerSettings | None = None
    connection_pool: ConnectionPoolSettings | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTLSSettings | None = None


class TrafficPolicy(Message, frozen=True, kw_only=True):
    """What applies to traffic of all ports of a destination."""

    load_balancer: LoadBalancerSettings | None = None
    connection_pool: ConnectionPoolSettings | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTLSSettings | None = None
    port_level_settings: tuple[PortTrafficPolicy, ...] = ()
    tunnel: TunnelSettings | None = None
    proxy_protocol: ProxyProtocol | None = None
    retry_budget: RetryBudget | None = None


class Subset(Message, frozen=True, kw_only=True):
    """Endpoints of a host that carry some labels, under a name."""

    required = ("name",)

    name: str = ""
    labels: Mapping[str, str] = {}
    traffic_policy: TrafficPolicy | None = None


class DestinationRule(Message, frozen=True, kw_only=True):
    """Policies for traffic to a host."""

    required = ("host",)

    host: str = ""
    traffic_policy: TrafficPolicy | None = None
    subsets: tuple[Subset, ...] = ()
    export_to: tuple[str, ...] = ()
    workload_selector: PolicySelector | None = None
