from __future__ import annotations

from discovery.registry.service import Protocol
from discovery.translate.filters.http import Side
from discovery.translate.filters.network import metadata_exchange, tcp_filters

PROXY = {"stat_prefix": "x", "cluster": "x"}


def _names(*, protocol: Protocol = Protocol.TCP, istio: bool = False) -> list[str]:
    return [item["name"] for item in tcp_filters(PROXY, side=Side.OUTBOUND, protocol=protocol, istio=istio)]


def test_tcp_is_proxied() -> None:
    """A plain TCP port has the proxy alone."""
    assert _names() == ["envoy.filters.network.tcp_proxy"]


def test_mongo_is_counted_before_it_is_proxied() -> None:
    """Statistics of Istio come first, the protocol's filter next, the proxy last."""
    assert _names(protocol=Protocol.MONGO, istio=True) == [
        "istio.stats",
        "envoy.filters.network.mongo_proxy",
        "envoy.filters.network.tcp_proxy",
    ]


def test_metadata_exchange_is_istios() -> None:
    """The filter goes by the name that Istio's Envoy knows."""
    assert metadata_exchange()["name"] == "istio.metadata_exchange"
