"""Network filters: TCP proxy and what stands before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from discovery.registry.service import Protocol
from discovery.translate.filters.http import Side, typed_struct
from discovery.wire.envoy import MongoProxy, TcpProxy, pack, serialize

__all__ = ["metadata_exchange", "tcp_filters"]

_TCP_PROXY: Final = pack(TcpProxy())["type_url"]  # known beforehand: there may be one for every service
_METADATA_EXCHANGE: Final = typed_struct(
    "istio.metadata_exchange",
    "envoy.tcp.metadataexchange.config.MetadataExchange",
    {"protocol": "istio-peer-exchange", "enable_discovery": True},
)
_STATS: Final = {
    Side.INBOUND: typed_struct("istio.stats", "stats.PluginConfig", {"disable_host_header_fallback": True}),
    Side.OUTBOUND: typed_struct("istio.stats", "stats.PluginConfig", {}),
}


def metadata_exchange() -> dict[str, Any]:
    """The filter that exchanges peer metadata over mutual TLS; only in Istio's build of Envoy."""
    return _METADATA_EXCHANGE


def tcp_filters(proxy: dict[str, Any], *, side: Side, protocol: Protocol, istio: bool) -> Sequence[dict[str, Any]]:
    """The filters that end in a TCP proxy.

    Args:
        proxy: fields of ``TcpProxy``.
        side: outbound or inbound.
        protocol: of the port; some have a filter that counts their commands.
        istio: the proxy announces the extensions ``istio.*``.
    """
    filters: list[dict[str, Any]] = [_STATS[side]] if istio else []
    if protocol is Protocol.MONGO:
        mongo = MongoProxy(stat_prefix=proxy["stat_prefix"])
        filters.append({"name": "envoy.filters.network.mongo_proxy", "typed_config": pack(mongo)})
    filters.append(
        {
            "name": "envoy.filters.network.tcp_proxy",
            "typed_config": {"type_url": _TCP_PROXY, "value": serialize(TcpProxy(**proxy))},
        }
    )
    return filters
