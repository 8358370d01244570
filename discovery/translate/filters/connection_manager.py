"""The HTTP connection manager: everything between bytes of a connection and a route."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from discovery.schema.mesh_config import NormalizationType
from discovery.translate.filters.access_log import FileLog, access_log
from discovery.translate.filters.http import Side, http_filters
from discovery.translate.filters.network import FilterKind
from discovery.translate.filters.tracing import Tracing, render_tracing
from discovery.wire.envoy import HttpConnectionManager, UuidRequestIdConfig, pack, serialize

__all__ = ["ManagerOptions", "connection_manager", "rds"]

_MANAGER: Final = FilterKind("envoy.filters.network.http_connection_manager", HttpConnectionManager())
_REQUEST_ID: Final = {"typed_config": pack(UuidRequestIdConfig(use_request_id_for_trace_sampling={"value": True}))}
_TRUE: Final = {"value": True}
_FALSE: Final = {"value": False}
_MERGES_SLASHES: Final = (NormalizationType.MERGE_SLASHES, NormalizationType.DECODE_AND_MERGE_SLASHES)


class ManagerOptions(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """What connection managers of one listener have in common."""

    side: Side
    istio: bool = False  # the proxy announces the extensions istio.*
    http10: bool = False
    dynamic_dns: str = ""  # family in which hosts that nobody declared are resolved
    normalization: NormalizationType = NormalizationType.DEFAULT
    access_logs: tuple[FileLog, ...] = ()
    tracing: Tracing | None = None


def rds(name: str) -> dict[str, Any]:
    """Routes by name, over the aggregated stream. Envoy waits for them without limit: no route is no answer."""
    return {
        "rds": {
            "route_config_name": name,
            "config_source": {"ads": {}, "initial_fetch_timeout": {}, "resource_api_version": "V3"},
        }
    }


def connection_manager(
    options: ManagerOptions,
    routes: dict[str, Any],
    *,
    stat_prefix: str,
    grpc_web: bool = False,
    forward_proxy: bool = False,
) -> bytes:
    """The manager as a network filter (``listener.v3.Filter``), serialised.

    Args:
        options: common to the listener.
        routes: ``rds(...)``, or ``{"route_config": ...}`` inline.
        stat_prefix: of the manager's statistics.
        grpc_web: the port's protocol is gRPC-Web.
        forward_proxy: requests name the destination as an absolute URL.
    """
    particular = HttpConnectionManager(stat_prefix=stat_prefix, **routes)
    # Serialised messages one after the other read as their merger, and most of a manager is always the same.
    value = serialize(particular) + _common(options, grpc_web, forward_proxy)
    return _MANAGER.around(value)


@lru_cache(maxsize=64)  # by what proxies announce and the mesh configuration says: a handful at a time
def _common(options: ManagerOptions, grpc_web: bool, forward_proxy: bool) -> bytes:  # noqa: FBT001 - a cache key
    manager: dict[str, Any] = {
        "http_filters": http_filters(
            options.side, istio=options.istio, grpc_web=grpc_web, dynamic_dns=options.dynamic_dns
        ),
        "stream_idle_timeout": {},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "use_remote_address": _FALSE,
        "request_id_extension": _REQUEST_ID,
        "proxy_100_continue": True,
        "access_log": [access_log(log) for log in options.access_logs],
    }
    if options.tracing is not None:
        manager["tracing"] = render_tracing(options.tracing)
    _normalize(manager, options.normalization)
    http1: dict[str, Any] = {}
    if options.http10:
        http1["accept_http_10"] = True
    if forward_proxy:
        http1["allow_absolute_url"] = _TRUE
    if http1:
        manager["http_protocol_options"] = http1
    if options.side is Side.INBOUND:
        manager["server_name"] = "istio-envoy"
        manager["forward_client_cert_details"] = "APPEND_FORWARD"
        manager["set_current_client_cert_details"] = {"subject": _TRUE, "dns": True, "uri": True}
    return serialize(HttpConnectionManager(**manager))


def _normalize(manager: dict[str, Any], how: NormalizationType) -> None:
    manager["normalize_path"] = _FALSE if how is NormalizationType.NONE else _TRUE
    if how in _MERGES_SLASHES:
        manager["merge_slashes"] = True
    if how is NormalizationType.DECODE_AND_MERGE_SLASHES:
        manager["path_with_escaped_slashes_action"] = "UNESCAPE_AND_FORWARD"
