"""Who a proxy says it is: the node id, and node metadata under Istio's keys.

What a proxy says is a claim until the caller's identity confirms it; nothing here decides that.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, NamedTuple

import msgspec

__all__ = ["InterceptionMode", "Metadata", "NodeError", "NodeId", "NodeType", "parse_metadata", "parse_node_id"]


class NodeError(ValueError):
    """The node of a first request cannot be understood; the text says which part and what was wanted."""


class NodeType(StrEnum):
    """What kind of proxy asks."""

    SIDECAR = "sidecar"
    ROUTER = "router"
    WAYPOINT = "waypoint"
    ZTUNNEL = "ztunnel"


class InterceptionMode(StrEnum):
    """How traffic reaches the proxy: captured by redirection or TPROXY, or by explicit listeners only."""

    REDIRECT = "REDIRECT"
    TPROXY = "TPROXY"
    NONE = "NONE"


class NodeId(NamedTuple):
    """``<type>~<ip>~<name>.<namespace>~<dns domain>``."""

    type: NodeType
    ip: str
    name: str
    domain: str

    def __str__(self) -> str:
        return f"{self.type}~{self.ip}~{self.name}~{self.domain}"


def parse_node_id(text: str) -> NodeId:
    """Read a node id.

    Raises:
        NodeError: not exactly four parts, an unknown type, or no IP address.
    """
    parts = text.split("~")
    if len(parts) != 4:
        raise NodeError(f"node id {text!r} has {len(parts)} parts, want <type>~<ip>~<name>.<namespace>~<domain>")
    try:
        node_type = NodeType(parts[0])
    except ValueError:
        raise NodeError(f"node id {text!r}: unknown type {parts[0]!r}, want one of {', '.join(NodeType)}") from None
    try:
        ip_address(parts[1])
    except ValueError:
        if parts[1]:
            raise NodeError(f"node id {text!r}: {parts[1]!r} is no IP address") from None
    return NodeId(node_type, parts[1], parts[2], parts[3])


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """Node metadata that the control plane reads; unknown keys are kept out (they stay in the raw node)."""

    name: str = ""
    namespace: str = ""
    node_name: str = ""
    workload_name: str = ""
    service_account: str = ""
    cluster_id: str = ""
    network: str = ""
    istio_version: str = ""
    istio_revision: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    instance_ips: tuple[str, ...] = ()
    interception_mode: InterceptionMode = InterceptionMode.REDIRECT
    generator: str = ""
    auto_register_group: str = ""  # WorkloadGroup that it wants a WorkloadEntry of
    workload_entry: str = ""  # or the WorkloadEntry that it is
    probed: bool = False  # its agent probes the application, and will say what it finds
    tracing: str = ""  # ProxyConfig's, as JSON, if it names a tracer: then its bootstrap has that
    dns_capture: bool = False
    dns_auto_allocate: bool = False
    dns_srv: bool = False  # its DNS proxy answers SRV, if the name table tells ports
    http10: bool = False
    idle_timeout: str = ""
    http_proxy_port: str = ""
    unprivileged_pod: bool = False
    bound: bool = False  # its Envoy binds connections to an address or an interface
    envoy_status_port: int = 0
    envoy_prometheus_port: int = 0
    tls_server_cert_chain: str = ""
    tls_server_key: str = ""
    tls_server_root_cert: str = ""
    tls_client_cert_chain: str = ""
    tls_client_key: str = ""
    tls_client_root_cert: str = ""


_BOOTSTRAP_TRACERS = ("zipkin", "lightstep", "datadog")
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})


def _text(raw: Mapping[str, Any], key: str) -> str:
    value = raw.get(key, "")
    if isinstance(value, str):
        return value
    return "" if isinstance(value, dict | list) else str(value)


def _flag(raw: Mapping[str, Any], key: str) -> bool:
    return raw.get(key) is True or _text(raw, key) in _TRUE


def _number(raw: Mapping[str, Any], key: str) -> int:
    value = raw.get(key, 0)
    try:
        return int(value)
    except (TypeError, ValueError):
        raise NodeError(f"node metadata {key}: {value!r} is no number") from None


def _labels(raw: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    merged: dict[str, str] = {}
    for key in ("STATIC_LABELS", "LABELS"):
        value = raw.get(key)
        if isinstance(value, Mapping):
            merged.update((str(k), str(v)) for k, v in value.items())
    return tuple(sorted(merged.items()))


def _interception(raw: Mapping[str, Any]) -> InterceptionMode:
    text = _text(raw, "INTERCEPTION_MODE").upper()
    return InterceptionMode(text) if text in set(InterceptionMode) else InterceptionMode.REDIRECT


def _probed(raw: Mapping[str, Any]) -> bool:
    config = raw.get("PROXY_CONFIG")
    return isinstance(config, Mapping) and isinstance(config.get("readinessProbe"), Mapping)


def _tracing(raw: Mapping[str, Any]) -> str:
    config = raw.get("PROXY_CONFIG")
    said = config.get("tracing") if isinstance(config, Mapping) else None
    if not isinstance(said, Mapping) or not any(said.get(tracer) for tracer in _BOOTSTRAP_TRACERS):
        return ""
    return msgspec.json.encode(said, order="sorted").decode()


def parse_metadata(raw: Mapping[str, Any]) -> Metadata:
    """Read metadata as the JSON object it is on the wire (``google.protobuf.Struct``).

    Booleans come as JSON strings, lists of addresses as one comma-joined string. Unknown keys are ignored.

    Raises:
        NodeError: a key has a value of the wrong type.
    """
    return Metadata(
        name=_text(raw, "NAME"),
        namespace=_text(raw, "NAMESPACE"),
        node_name=_text(raw, "NODE_NAME"),
        workload_name=_text(raw, "WORKLOAD_NAME"),
        service_account=_text(raw, "SERVICE_ACCOUNT"),
        cluster_id=_text(raw, "CLUSTER_ID"),
        network=_text(raw, "NETWORK"),
        istio_version=_text(raw, "ISTIO_VERSION"),
        istio_revision=_text(raw, "ISTIO_REVISION"),
        labels=_labels(raw),
        instance_ips=tuple(ip for ip in _text(raw, "INSTANCE_IPS").split(",") if ip),
        interception_mode=_interception(raw),
        generator=_text(raw, "GENERATOR"),
        auto_register_group=_text(raw, "AUTO_REGISTER_GROUP"),
        workload_entry=_text(raw, "WORKLOAD_ENTRY"),
        probed=_probed(raw),
        tracing=_tracing(raw),
        dns_capture=_flag(raw, "DNS_CAPTURE"),
        dns_auto_allocate=_flag(raw, "DNS_AUTO_ALLOCATE"),
        dns_srv=_flag(raw, "DNS_SRV"),
        http10=_flag(raw, "HTTP10"),
        idle_timeout=_text(raw, "IDLE_TIMEOUT"),
        http_proxy_port=_text(raw, "HTTP_PROXY_PORT"),
        unprivileged_pod=_flag(raw, "UNPRIVILEGED_POD"),
        bound=_flag(raw, "BOUND_UPSTREAM"),
        envoy_status_port=_number(raw, "ENVOY_STATUS_PORT"),
        envoy_prometheus_port=_number(raw, "ENVOY_PROMETHEUS_PORT"),
        tls_server_cert_chain=_text(raw, "TLS_SERVER_CERT_CHAIN"),
        tls_server_key=_text(raw, "TLS_SERVER_KEY"),
        tls_server_root_cert=_text(raw, "TLS_SERVER_ROOT_CERT"),
        tls_client_cert_chain=_text(raw, "TLS_CLIENT_CERT_CHAIN"),
        tls_client_key=_text(raw, "TLS_CLIENT_KEY"),
        tls_client_root_cert=_text(raw, "TLS_CLIENT_ROOT_CERT"),
    )
