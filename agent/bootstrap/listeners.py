"""Static listeners: health for the kubelet and statistics for Prometheus, apart from what the control plane does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from agent.bootstrap.addresses import AddressPlan
from agent.bootstrap.json_forms import any_message, sds_secret, socket_address

__all__ = ["ListenerKey", "build_listeners"]

_COMPRESSIBLE: Final = (
    "text/plain",
    "application/vnd.google.protobuf",
    "application/openmetrics-text",
    "application/openmetrics-protobuf",
)
_STATS: Final = (("/stats/prometheus", "prometheus_stats"),)
_MERGED: Final = (("/stats/prometheus", "agent"), ("/metrics", "agent"))


class ListenerKey(msgspec.Struct, frozen=True, kw_only=True):
    """All that the static listeners depend on; a port 0 leaves its listener out."""

    addresses: AddressPlan
    status_port: int = 15021
    prometheus_port: int = 15090
    secure_metrics_port: int = 0
    secure_merged_metrics_port: int = 0
    compress: bool = True
    localhost_only: bool = False
    proxy_protocol: bool = False


def build_listeners(key: ListenerKey) -> list[dict[str, Any]]:
    """The static listeners in order."""
    listeners: list[dict[str, Any]] = []
    chain: dict[str, Any]
    if key.prometheus_port:
        filters = _compressors() if key.compress else []
        chain = {"filters": [_http("stats", _STATS, filters)]}
        listeners.append(_listener(key, key.prometheus_port, chain, localhost_only=key.localhost_only))
    for port, prefix, routes in (
        (key.secure_metrics_port, "secure_stats", _STATS),
        (key.secure_merged_metrics_port, "secure_merged_stats", _MERGED),
    ):
        if port:
            chain = {
                "filter_chain_match": {"transport_protocol": "tls"},
                "transport_socket": _mutual_tls(),
                "filters": [_http(prefix, routes, [])],
            }
            listeners.append(_listener(key, port, chain, listener_filters=[_TLS_INSPECTOR]))
    if key.status_port:
        chain = {"filters": [_http("agent", (("/healthz/ready", "agent"),), [])]}
        before = [_PROXY_PROTOCOL] if key.proxy_protocol else []
        listeners.append(_listener(key, key.status_port, chain, listener_filters=before))
    return listeners


_LISTENER_FILTERS: Final = "envoy.extensions.filters.listener."
_TLS_INSPECTOR: Final = any_message(
    "envoy.filters.listener.tls_inspector", _LISTENER_FILTERS + "tls_inspector.v3.TlsInspector"
)
_PROXY_PROTOCOL: Final = any_message(
    "envoy.filters.listener.proxy_protocol", _LISTENER_FILTERS + "proxy_protocol.v3.ProxyProtocol"
)


def _listener(
    key: ListenerKey,
    port: int,
    chain: dict[str, Any],
    *,
    listener_filters: Sequence[dict[str, Any]] = (),
    localhost_only: bool = False,
) -> dict[str, Any]:
    wildcard, second = key.addresses.wildcard, key.addresses.second_wildcard
    listener: dict[str, Any] = {
        "name": f"{wildcard}_{port}",
        "address": socket_address(key.addresses.localhost if localhost_only else wildcard, port),
        # The overload manager must not make a loaded pod look dead, nor blind those who look at it.
        "ignore_global_conn_limit": True,
        "bypass_overload_manager": True,
        "filter_chains": [chain],
    }
    if second and not localhost_only:
        listener["additional_addresses"] = [{"address": socket_address(second, port)}]
    if listener_filters:
        listener["listener_filters"] = list(listener_filters)
    return listener


def _http(stat_prefix: str, routes: Sequence[tuple[str, str]], filters: list[dict[str, Any]]) -> dict[str, Any]:
    host = {
        "name": "backend",
        "domains": ["*"],
        "routes": [{"match": {"prefix": prefix}, "route": {"cluster": cluster}} for prefix, cluster in routes],
    }
    router = any_message("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router")
    return any_message(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        codec_type="AUTO",
        stat_prefix=stat_prefix,
        route_config={"virtual_hosts": [host]},
        http_filters=[*filters, router],
    )


def _compressors() -> list[dict[str, Any]]:
    """In order of preference; the statistics of a large mesh shrink tenfold."""
    return [
        any_message(
            f"envoy.filters.http.compressor.{name}",
            "envoy.extensions.filters.http.compressor.v3.Compressor",
            compressor_library=any_message(
                f"stats_{name}", f"envoy.extensions.compression.{name}.compressor.v3.{name.capitalize()}"
            ),
            response_direction_config={"common_config": {"content_type": list(_COMPRESSIBLE)}},
        )
        for name in ("brotli", "zstd", "gzip")
    ]


def _mutual_tls() -> dict[str, Any]:
    return any_message(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        require_client_certificate=True,
        common_tls_context={
            "tls_certificate_sds_secret_configs": [sds_secret("default")],
            "combined_validation_context": {
                "default_validation_context": {},
                "validation_context_sds_secret_config": sds_secret("ROOTCA"),
            },
        },
    )
