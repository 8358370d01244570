"""``istio.mesh.v1alpha1.ProxyConfig``: how one proxy runs. The agent reads it, and sends it in its node metadata.

Struct defaults are protobuf's zero values, so that encoding leaves out exactly what protobuf's JSON leaves out; Istio's
defaults are a document of their own (``DEFAULTS``) below all others.

Spec: https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from discovery.wire.durations import format_duration, parse_duration

__all__ = [
    "DEFAULTS",
    "ConnectionSettings",
    "ProxyConfig",
    "ProxyConfigError",
    "RemoteService",
    "StatsMatcher",
    "TlsSettings",
    "Tracer",
    "Tracing",
    "decode_proxy_config",
    "encode_proxy_config",
    "merge_proxy_config",
]

DEFAULTS: Final[Mapping[str, Any]] = {
    "configPath": "./etc/istio/proxy",
    "binaryPath": "/usr/local/bin/envoy",
    "serviceCluster": "istio-proxy",
    "drainDuration": "45s",
    "terminationDrainDuration": "5s",
    "proxyAdminPort": 15000,
    "statusPort": 15020,
    "controlPlaneAuthPolicy": "MUTUAL_TLS",
    "discoveryAddress": "istiod.istio-system.svc:15012",
    "statNameLength": 189,
}


class ProxyConfigError(ValueError):
    """A ProxyConfig cannot be read; the text names the field and what was wanted."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A protobuf message in its JSON form."""


class TlsSettings(_Message, frozen=True, kw_only=True):
    """``ClientTLSSettings``: how to secure a connection to a remote service."""

    mode: str = "DISABLE"
    client_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    credential_name: str = ""
    subject_alt_names: tuple[str, ...] = ()
    sni: str = ""
    insecure_skip_verify: bool | None = None
    ca_crl: str = ""


class TcpKeepalive(_Message, frozen=True, kw_only=True):
    """Keep-alive of a connection; durations in protobuf's form."""

    probes: int = 0
    time: str = ""
    interval: str = ""


class RemoteService(_Message, frozen=True, kw_only=True):
    """A gRPC service that Envoy itself calls: metrics or access logs."""

    address: str = ""
    tls_settings: TlsSettings | None = None
    tcp_keepalive: TcpKeepalive | None = None


class Tracer(_Message, frozen=True, kw_only=True):
    """A tracing backend; ``access_token`` is Lightstep's."""

    address: str = ""
    access_token: str = ""


class Tracing(_Message, frozen=True, kw_only=True):
    """Tracing as far as the bootstrap carries it; the rest is the control plane's."""

    zipkin: Tracer | None = None
    lightstep: Tracer | None = None
    datadog: Tracer | None = None
    stackdriver: dict[str, Any] | None = None
    open_census_agent: dict[str, Any] | None = None
    custom_tags: dict[str, Any] = {}
    max_path_tag_length: int = 0
    sampling: float = 0.0
    tls_settings: TlsSettings | None = None
    enable_istio_tags: bool | None = None


class StatsMatcher(_Message, frozen=True, kw_only=True):
    """Which statistics Envoy creates besides the required ones."""

    inclusion_prefixes: tuple[str, ...] = ()
    inclusion_suffixes: tuple[str, ...] = ()
    inclusion_regexps: tuple[str, ...] = ()


class ConnectionSettings(_Message, frozen=True, kw_only=True):
    """Bounds of a proxy's connections."""

    global_downstream_connection_limit: int | None = None


class ProxyConfig(_Message, frozen=True, kw_only=True):
    """The effective configuration of one proxy. Durations are texts in protobuf's form."""

    config_path: str = ""
    binary_path: str = ""
    service_cluster: str = ""
    tracing_service_name: str = "APP_LABEL_AND_NAMESPACE"
    drain_duration: str = ""
    termination_drain_duration: str = ""
    discovery_address: str = ""
    statsd_udp_address: str = ""
    proxy_admin_port: int = 0
    status_port: int = 0
    control_plane_auth_policy: str = "NONE"
    custom_config_file: str = ""
    stat_name_length: int = 0
    concurrency: int | None = None
    proxy_bootstrap_template_path: str = ""
    interception_mode: str = "REDIRECT"
    tracing: Tracing | None = None
    envoy_access_log_service: RemoteService | None = None
    envoy_metrics_service: RemoteService | None = None
    proxy_metadata: dict[str, str] = {}
    runtime_values: dict[str, str] = {}
    extra_stat_tags: tuple[str, ...] = ()
    gateway_topology: dict[str, Any] | None = None
    mesh_id: str = ""
    readiness_probe: dict[str, Any] | None = None
    proxy_stats_matcher: StatsMatcher | None = None
    hold_application_until_proxy_starts: bool | None = None
    ca_certificates_pem: tuple[str, ...] = ()
    image: dict[str, Any] | None = None
    private_key_provider: dict[str, Any] | None = None
    proxy_headers: dict[str, Any] | None = None
    file_flush_interval: str = ""
    file_flush_min_size_kb: int | None = None
    stats_compression: bool | None = None
    connection_settings: ConnectionSettings | None = None

    def seconds(self, text: str, *, default: float = 0.0) -> float:
        """One of its durations as a number; an unset one gives ``default``."""
        return parse_duration(text) if text else default


_DURATIONS: Final = frozenset({"drainDuration", "terminationDrainDuration", "fileFlushInterval", "time", "interval"})
# Keys of these maps belong to users and are no field names.
_USER_MAPS: Final = frozenset({"proxyMetadata", "runtimeValues", "customTags"})
_TEXT_MAPS: Final = ("proxyMetadata", "runtimeValues")
_SNAKE: Final = re.compile(r"_([a-z0-9])")
# Protobuf numbers its enumerations, and some writers print the numbers.
_ENUMS: Final[Mapping[str, tuple[str, ...]]] = {
    "controlPlaneAuthPolicy": ("NONE", "MUTUAL_TLS"),
    "interceptionMode": ("REDIRECT", "TPROXY", "NONE"),
    "mode": ("DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"),
    "tracingServiceName": ("APP_LABEL_AND_NAMESPACE", "CANONICAL_NAME_ONLY", "CANONICAL_NAME_AND_NAMESPACE"),
}


def _camel(name: str) -> str:
    return _SNAKE.sub(lambda match: match[1].upper(), name)


def _canonical(value: Any, path: str) -> Any:
    if isinstance(value, list):
        return [_canonical(item, path) for item in value]
    if not isinstance(value, Mapping):
        return value
    result: dict[str, Any] = {}
    for raw, member in value.items():
        if member is None:
            continue
        key = _camel(str(raw))
        where = f"{path}{key}"
        if key in _USER_MAPS and isinstance(member, Mapping):
            result[key] = dict(member)
        else:
            result[key] = _scalar(key, _canonical(member, where + "."), where)
    return result


def _scalar(key: str, value: Any, where: str) -> Any:
    if key in _DURATIONS and isinstance(value, str):
        try:
            return format_duration(parse_duration(value))
        except ValueError as error:
            raise ProxyConfigError(f"ProxyConfig {where}: {error}") from None
    names = _ENUMS.get(key)
    if names is not None and isinstance(value, int | str) and not isinstance(value, bool):
        text = names[value] if isinstance(value, int) and 0 <= value < len(names) else str(value)
        if text not in names:
            raise ProxyConfigError(f"ProxyConfig {where}: {value!r} is unknown, want one of {', '.join(names)}")
        return text
    return value


def merge_proxy_config(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one document over another: fields are replaced whole, ``proxyMetadata`` key by key.

    ``proxyHeaders`` keeps the members that the upper document does not name. Either spelling of field names is taken.

    Raises:
        ProxyConfigError: a duration or enumeration has a wrong value.
    """
    merged, upper = dict(_canonical(below, "")), _canonical(above, "")
    for key, value in upper.items():
        if key in ("proxyMetadata", "proxyHeaders") and isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = {**merged[key], **value}
        elif key == "tracingServiceName":
            merged.pop("serviceCluster", None)  # one of two, in protobuf's sense
            merged[key] = value
        else:
            merged[key] = value
    return merged


def decode_proxy_config(document: Mapping[str, Any]) -> ProxyConfig:
    """Read a document; unknown fields are ignored, for newer control planes write them.

    Raises:
        ProxyConfigError: a field has a value of the wrong type.
    """
    canonical = _canonical(document, "")
    for name in _TEXT_MAPS:
        members = canonical.get(name)
        for key, value in members.items() if isinstance(members, Mapping) else ():
            if not isinstance(value, str):
                raise ProxyConfigError(f"ProxyConfig {name}.{key}: {value!r} is no text, want it in quotes")
    try:
        return msgspec.convert(canonical, ProxyConfig, strict=False)
    except msgspec.ValidationError as error:
        raise ProxyConfigError(f"ProxyConfig: {error}") from None


def encode_proxy_config(config: ProxyConfig) -> dict[str, Any]:
    """Protobuf's JSON form: camelCase names, zero values left out."""
    return _encode(config)


def _encode(message: _Message) -> dict[str, Any]:
    # msgspec's own omit_defaults compares texts by identity, so a decoded "NONE" would stay.
    document: dict[str, Any] = {}
    for field in msgspec.structs.fields(message):
        value = getattr(message, field.name)
        default = field.default if field.default is not msgspec.NODEFAULT else {}
        if value != default:
            document[field.encode_name] = _encode(value) if isinstance(value, _Message) else msgspec.to_builtins(value)
    return document
