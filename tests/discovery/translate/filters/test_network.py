from __future__ import annotations

from datetime import timedelta
from typing import Any

from discovery.registry.service import Protocol
from discovery.translate.filters.access_log import FileLog
from discovery.translate.filters.http import Side
from discovery.translate.filters.network import METADATA_EXCHANGE, FilterKind, tcp_filters
from discovery.wire.envoy import Filter, TcpProxy


def _filters(
    fields: dict[str, Any] | None = None, *, protocol: Protocol = Protocol.TCP, istio: bool = False, logs: int = 0
) -> list[Any]:
    given = tcp_filters(
        "s",
        fields or {"cluster": "c"},
        side=Side.OUTBOUND,
        protocol=protocol,
        istio=istio,
        logs=(FileLog("/l"),) * logs,
    )
    return [Filter.FromString(item) for item in given]


def test_tcp_is_proxied() -> None:
    """A plain TCP port has the proxy alone, to its cluster."""
    (found,) = _filters()
    assert found.name == "envoy.filters.network.tcp_proxy"
    assert found.typed_config.type_url.endswith(TcpProxy.DESCRIPTOR.full_name)
    assert TcpProxy.FromString(found.typed_config.value) == TcpProxy(stat_prefix="s", cluster="c")


def test_further_fields_and_logs_are_added() -> None:
    """The parts that are serialised one by one read as one message."""
    (found,) = _filters({"cluster": "c", "idle_timeout": timedelta(seconds=3)}, logs=2)
    proxy = TcpProxy.FromString(found.typed_config.value)
    assert (proxy.stat_prefix, proxy.cluster, proxy.idle_timeout.ToSeconds(), len(proxy.access_log)) == ("s", "c", 3, 2)


def test_mongo_is_counted_before_it_is_proxied() -> None:
    """Statistics of Istio come first, the protocol's filter next, the proxy last."""
    assert [item.name for item in _filters(protocol=Protocol.MONGO, istio=True)] == [
        "istio.stats",
        "envoy.filters.network.mongo_proxy",
        "envoy.filters.network.tcp_proxy",
    ]


def test_metadata_exchange_is_istios() -> None:
    """The filter goes by the name that Istio's Envoy knows."""
    assert Filter.FromString(METADATA_EXCHANGE).name == "istio.metadata_exchange"


def test_filter_around_a_configuration() -> None:
    """Name, type and configuration come together as Envoy reads them."""
    proxy = TcpProxy(stat_prefix="s", cluster="c" * 200)
    found = Filter.FromString(FilterKind("n", TcpProxy()).around(proxy.SerializeToString()))
    assert found.name == "n"
    assert TcpProxy.FromString(found.typed_config.value) == proxy
