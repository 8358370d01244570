from __future__ import annotations

import pytest

from discovery.translate.filters.http import Side, http_filters


def _names(side: Side, *, istio: bool = False, grpc_web: bool = False) -> list[str]:
    return [
        item["name"].removeprefix("envoy.filters.http.") for item in http_filters(side, istio=istio, grpc_web=grpc_web)
    ]


@pytest.mark.parametrize("side", Side)
def test_unmodified_envoy_gets_only_its_own_filters(side: Side) -> None:
    """Without the announcement no ``istio.*`` filter is given, and the router is last."""
    assert _names(side) == ["grpc_stats", "fault", "cors", "router"]


def test_order_for_istio_proxies() -> None:
    """Istio's filters stand at their places; ALPN is for callers only."""
    outbound = ["istio.metadata_exchange", "grpc_stats", "istio.alpn", "fault", "cors", "istio.stats", "router"]
    assert _names(Side.OUTBOUND, istio=True) == outbound
    assert _names(Side.INBOUND, istio=True) == [name for name in outbound if name != "istio.alpn"]


def test_grpc_web_comes_before_statistics() -> None:
    """gRPC-Web is turned into gRPC before gRPC is counted."""
    assert _names(Side.INBOUND, grpc_web=True)[:2] == ["grpc_web", "grpc_stats"]
