"""Network filters, serialised: TCP proxy and what stands before it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from discovery.registry.service import Protocol
from discovery.translate.filters.access_log import FileLog, access_log
from discovery.translate.filters.http import Side, typed_struct
from discovery.wire.envoy import Filter, MongoProxy, TcpProxy, pack, serialize
from discovery.wire.protowire import bytes_field, string_field

__all__ = ["METADATA_EXCHANGE", "FilterKind", "tcp_filters"]

# Field numbers of listener.v3.Filter, google.protobuf.Any and TcpProxy.
_FILTER_NAME, _FILTER_CONFIG = 1, 4
_ANY_VALUE = 2
_STAT_PREFIX, _CLUSTER = 1, 2
_USUAL: Final = {"cluster"}


class FilterKind:
    """A network filter by name and message type, to be put around serialised configurations."""

    def __init__(self, name: str, message: Any) -> None:
        self._name = string_field(_FILTER_NAME, name)
        self._type = string_field(1, pack(message)["type_url"])

    def around(self, value: bytes) -> bytes:
        """``listener.v3.Filter`` with this configuration."""
        return self._name + bytes_field(_FILTER_CONFIG, self._type + bytes_field(_ANY_VALUE, value))


_TCP_PROXY: Final = FilterKind("envoy.filters.network.tcp_proxy", TcpProxy())
_MONGO: Final = FilterKind("envoy.filters.network.mongo_proxy", MongoProxy())

METADATA_EXCHANGE: Final = serialize(
    Filter(
        **typed_struct(
            "istio.metadata_exchange",
            "envoy.tcp.metadataexchange.config.MetadataExchange",
            {"protocol": "istio-peer-exchange", "enable_discovery": True},
        )
    )
)
"""Exchanges peer metadata over mutual TLS; only in Istio's build of Envoy."""

_STATS: Final = {
    Side.INBOUND: serialize(
        Filter(**typed_struct("istio.stats", "stats.PluginConfig", {"disable_host_header_fallback": True}))
    ),
    Side.OUTBOUND: serialize(Filter(**typed_struct("istio.stats", "stats.PluginConfig", {}))),
}


@lru_cache(maxsize=32)
def _logged(logs: tuple[FileLog, ...]) -> bytes:
    return serialize(TcpProxy(access_log=[access_log(log) for log in logs]))


def tcp_filters(
    stat_prefix: str,
    fields: dict[str, Any],
    *,
    side: Side,
    protocol: Protocol,
    istio: bool,
    logs: tuple[FileLog, ...] = (),
) -> Sequence[bytes]:
    """The filters that end in a TCP proxy, each ``listener.v3.Filter``.

    Args:
        stat_prefix: of the proxy's statistics.
        fields: of ``TcpProxy`` besides; mostly just ``cluster``.
        side: outbound or inbound.
        protocol: of the port; some have a filter that counts their commands.
        istio: the proxy announces the extensions ``istio.*``.
        logs: where connections are logged.
    """
    filters = [_STATS[side]] if istio else []
    if protocol is Protocol.MONGO:
        filters.append(_MONGO.around(serialize(MongoProxy(stat_prefix=stat_prefix))))
    value = string_field(_STAT_PREFIX, stat_prefix)
    if fields.keys() == _USUAL:
        value += string_field(_CLUSTER, fields["cluster"])
    else:
        value += serialize(TcpProxy(**fields))
    filters.append(_TCP_PROXY.around(value + _logged(logs) if logs else value))
    return filters
