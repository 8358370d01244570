"""The bootstrap document as a whole.

Istio's own extensions appear only on demand of ``BootstrapKey``: an unmodified Envoy refuses what it does not know.
Spec: https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/bootstrap/v3/bootstrap.proto
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from agent.bootstrap.addresses import AddressPlan
from agent.bootstrap.clusters import ClusterKey, Sockets, build_clusters
from agent.bootstrap.json_forms import ClientFiles, any_message, socket_address, split_address
from agent.bootstrap.listeners import ListenerKey, build_listeners
from agent.bootstrap.node import Node
from agent.bootstrap.stats import build_stats
from agent.envoy.hot_restart import EPOCH_HEADER
from discovery.wire.proxy_config import ProxyConfig

__all__ = ["Bootstrap", "BootstrapKey", "build_bootstrap"]

_NO_LIMIT: Final = 2_147_483_647
_LIMIT_METADATA: Final = "ISTIO_META_GLOBAL_DOWNSTREAM_MAX_CONNECTIONS"
_LIMIT_RUNTIME: Final = "overload.global_downstream_max_connections"
_ADS: Final = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
_FEATURE: Final = "envoy.reloadable_features."
_TEXT_LOG: Final = "%Y-%m-%dT%T.%fZ\t%l\tenvoy %n %g:%#\t%v\tthread=%t"
_JSON_LOG: Final = {
    "time": "%Y-%m-%dT%T.%fZ",
    "level": "%l",
    "scope": "envoy %n",
    "msg": "%j",
    "caller": "%g:%#",
    "thread": "%t",
}


class BootstrapKey(msgspec.Struct, frozen=True, kw_only=True):
    """All that the bootstrap depends on.

    Attributes:
        config: the effective ProxyConfig, addresses resolved (``$(HOST_IP)``, statsd).
        istio_extensions: whether the Envoy to be started has Istio's own extensions.
        dns_extension: whether it has ``DnsCluster``.
        epoch: how many Envoys this one's sockets have passed through before.
        lightstep_token_file: where the access token was written; needed with that tracer only.
    """

    node: Node
    config: ProxyConfig
    addresses: AddressPlan
    sockets: Sockets
    listeners: ListenerKey
    instance_ips: tuple[str, ...] = ()
    client_files: ClientFiles = ClientFiles()
    delta_xds: bool = True
    log_as_json: bool = False
    outlier_log_path: str = ""
    compliance_policy: str = ""
    strip_fragment: bool = True
    count_connections: bool = False
    istio_extensions: bool = False
    dns_extension: bool = False
    epoch: int = 0
    lightstep_token_file: str = ""


class Bootstrap(msgspec.Struct, frozen=True, kw_only=True):
    """The document, and what of the input was ignored in making it."""

    document: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The file's content."""
        return msgspec.json.format(msgspec.json.encode(self.document), indent=2)


def build_bootstrap(key: BootstrapKey) -> Bootstrap:
    """The bootstrap of one Envoy.

    Raises:
        ValueError: an address in the ProxyConfig is not ``host:port``, or the load statistics are no JSON object.
    """
    warnings: list[str] = []
    discovery = _metadata_discovery(key, warnings)
    stats = build_stats(
        key.config,
        key.node.annotations,
        key.instance_ips,
        metadata_discovery=discovery,
        count_connections=key.count_connections,
    )
    own_cluster = key.node.cluster if key.node.flag("ENABLE_SELF_DISCOVERY") else ""
    clusters = ClusterKey(
        config=key.config,
        addresses=key.addresses,
        sockets=key.sockets,
        client_files=key.client_files,
        own_cluster=own_cluster,
        dns_extension=key.dns_extension,
    )
    document = {
        "application_log_config": {
            "log_format": {"json_format": _JSON_LOG} if key.log_as_json else {"text_format": _TEXT_LOG}
        },
        "node": _node(key.node),
        "layered_runtime": _runtime(key),
        "bootstrap_extensions": _extensions(metadata_discovery=discovery),
        **stats.members,
        "admin": _admin(key),
        "dynamic_resources": _dynamic_resources(key),
        "static_resources": {"clusters": build_clusters(clusters), "listeners": build_listeners(key.listeners)},
        "overload_manager": _overload_manager(key),
        **_tracing(key),
        **_stats_sinks(key),
        **_cluster_manager(key, own_cluster=bool(own_cluster)),
        "deferred_stat_options": {"enable_deferred_creation_stats": True},
    }
    return Bootstrap(document=document, warnings=(*key.node.warnings, *stats.warnings, *warnings))


def _node(node: Node) -> dict[str, Any]:
    return {"id": node.id, "cluster": node.cluster, "locality": node.locality, "metadata": node.metadata}


def _metadata_discovery(key: BootstrapKey, warnings: list[str]) -> bool:
    if not key.node.flag("METADATA_DISCOVERY") or not key.delta_xds:
        return False
    if not key.istio_extensions:
        warnings.append("metadata discovery is left out: this Envoy lacks the extension istio.workload")
    return key.istio_extensions


def _runtime(key: BootstrapKey) -> dict[str, Any]:
    values: dict[str, Any] = {
        "re2.max_program_size.error_level": "32768",
        "envoy.deprecated_features:envoy.config.listener.v3.Listener.hidden_envoy_deprecated_use_original_dst": True,
        _FEATURE + "http_reject_path_with_fragment": False,
        _FEATURE + "fixed_heap_use_allocated": True,
        _FEATURE + "coalesce_lb_rebuilds_on_batch_update": False,
    }
    if key.compliance_policy == "fips-140-2":
        values[_FEATURE + "google_grpc_disable_tls_13"] = True
    if not key.strip_fragment:
        values[_FEATURE + "http_strip_fragment_from_path_unsafe_if_disabled"] = "false"
    for name, text in key.config.runtime_values.items():
        if text == "":
            values.pop(name, None)
        else:
            values[name] = {"true": True, "false": False}.get(text, text)
    layer = {"name": "global config", "static_layer": dict(sorted(values.items()))}
    return {"layers": [layer, {"name": "admin", "admin_layer": {}}]}


def _extension(name: str, type_name: str, value: dict[str, Any]) -> dict[str, Any]:
    return any_message(name, "udpa.type.v1.TypedStruct", type_url="type.googleapis.com/" + type_name, value=value)


def _extensions(*, metadata_discovery: bool) -> list[dict[str, Any]]:
    internal_listener = _extension(
        "envoy.bootstrap.internal_listener",
        "envoy.extensions.bootstrap.internal_listener.v3.InternalListener",
        {"buffer_size_kb": 64},
    )
    if not metadata_discovery:
        return [internal_listener]
    source: dict[str, Any] = {"config_source": {"ads": {}}}
    return [_extension("metadata_discovery", "istio.workload.BootstrapExtension", source), internal_listener]


def _admin(key: BootstrapKey) -> dict[str, Any]:
    access_log = any_message(
        "envoy.access_loggers.file", "envoy.extensions.access_loggers.file.v3.FileAccessLog", path="/dev/null"
    )
    return {
        "access_log": [access_log],
        "profile_path": "/var/lib/istio/data/envoy.prof",
        "address": socket_address(key.addresses.localhost, key.config.proxy_admin_port),
    }


def _dynamic_resources(key: BootstrapKey) -> dict[str, Any]:
    control_plane: dict[str, Any] = {"envoy_grpc": {"cluster_name": "xds-grpc"}}
    if key.epoch:
        control_plane["initial_metadata"] = [{"key": EPOCH_HEADER, "value": str(key.epoch)}]
    return {
        "lds_config": _ADS,
        "cds_config": _ADS,
        "ads_config": {
            "api_type": "DELTA_GRPC" if key.delta_xds else "GRPC",
            "set_node_on_first_message_only": True,
            "transport_api_version": "V3",
            "grpc_services": [control_plane],
        },
    }


def _connection_limit(config: ProxyConfig) -> int:
    settings = config.connection_settings
    if settings is not None and settings.global_downstream_connection_limit is not None:
        return settings.global_downstream_connection_limit
    for text in (config.proxy_metadata.get(_LIMIT_METADATA, ""), config.runtime_values.get(_LIMIT_RUNTIME, "")):
        if text.isdecimal():
            return int(text)
    return _NO_LIMIT


def _overload_manager(key: BootstrapKey) -> dict[str, Any]:
    monitor = any_message(
        "envoy.resource_monitors.global_downstream_max_connections",
        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=_connection_limit(key.config),
    )
    return {"resource_monitors": [monitor]}


def _tracing(key: BootstrapKey) -> dict[str, Any]:
    tracing = key.config.tracing
    if tracing is None:
        return {}
    trace = "envoy.config.trace.v3."
    if tracing.zipkin and tracing.zipkin.address:
        tracer = any_message(
            "envoy.tracers.zipkin",
            trace + "ZipkinConfig",
            collector_cluster="zipkin",
            collector_endpoint="/api/v2/spans",
            collector_endpoint_version="HTTP_JSON",
            trace_id_128bit=True,
            shared_span_context=False,
        )
    elif tracing.lightstep and tracing.lightstep.address:
        tracer = any_message(
            "envoy.tracers.lightstep",
            trace + "LightstepConfig",
            collector_cluster="lightstep",
            access_token_file=key.lightstep_token_file,
        )
    elif tracing.datadog and tracing.datadog.address:
        tracer = any_message(
            "envoy.tracers.datadog",
            trace + "DatadogConfig",
            collector_cluster="datadog_agent",
            service_name=key.node.cluster,
        )
    else:
        return {}
    return {"tracing": {"http": tracer}}


def _stats_sinks(key: BootstrapKey) -> dict[str, Any]:
    sinks = []
    metrics = "envoy.config.metrics.v3."
    service = key.config.envoy_metrics_service
    if service is not None and service.address:
        sinks.append(
            any_message(
                "envoy.stat_sinks.metrics_service",
                metrics + "MetricsServiceConfig",
                transport_api_version="V3",
                grpc_service={"envoy_grpc": {"cluster_name": "envoy_metrics_service"}},
            )
        )
    if key.config.statsd_udp_address:
        host, port = split_address(key.config.statsd_udp_address)
        address = {"socket_address": {"address": host, "port_value": port}}
        sinks.append(any_message("envoy.stat_sinks.statsd", metrics + "StatsdSink", address=address))
    return {"stats_sinks": sinks} if sinks else {}


def _cluster_manager(key: BootstrapKey, *, own_cluster: bool) -> dict[str, Any]:
    load_stats = str(key.node.metadata.get("LOAD_STATS_CONFIG_JSON", ""))
    members: dict[str, Any] = {}
    if key.outlier_log_path:
        members["outlier_detection"] = {"event_log_path": key.outlier_log_path}
    if own_cluster:
        members["local_cluster_name"] = "local_cluster"
    if load_stats:
        try:
            members["load_stats_config"] = msgspec.json.decode(load_stats, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise ValueError(f"ISTIO_META_LOAD_STATS_CONFIG_JSON: {error}; want a JSON object") from None
    if not members:
        return {}
    return {"cluster_manager": {**members, "enable_deferred_cluster_creation": True}}
