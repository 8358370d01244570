from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from discovery.schema.mesh_config import NormalizationType
from discovery.schema.meta import Kind, ObjectKey
from discovery.translate.filters.http import Side
from discovery.translate.listeners.filter_chain import ChainBuilder, ListenerSettings
from discovery.translate.listeners.spec import (
    Chain,
    ChainMatch,
    HttpTarget,
    InboundRoute,
    ListenerShape,
    TcpTarget,
    TlsServer,
    Tunnel,
    WeightedCluster,
)
from discovery.wire.envoy import FilterChain, HttpConnectionManager, TcpProxy

SETTINGS = ListenerSettings(
    detection_timeout=timedelta(0),
    normalization=NormalizationType.DEFAULT,
    access_logs=(),
    listener_logs=True,
    trust_domains=("cluster.local",),
)
TCP = TcpTarget("c", (WeightedCluster("c"),))


def _built(chain: Chain, side: Side = Side.OUTBOUND, *, istio: bool = False) -> Any:
    return FilterChain.FromString(ChainBuilder(ListenerShape(side=side, istio=istio), SETTINGS).build(chain))


def _proxy(target: TcpTarget) -> Any:
    return TcpProxy.FromString(_built(Chain(target)).filters[-1].typed_config.value)


def test_plain_chain() -> None:
    """A chain for everything has no match and no name; callers do not wait for ever for a handshake."""
    built = _built(Chain(TCP))
    assert not built.HasField("filter_chain_match")
    assert not built.name
    assert built.transport_socket_connect_timeout.ToSeconds() == 15


def test_criteria() -> None:
    """Each criterion that is given is written."""
    match = ChainMatch(port=80, server_names=("a",), transport="tls", alpn=("h2",))
    found = _built(Chain(TCP, match, name="n")).filter_chain_match
    assert (found.destination_port.value, list(found.server_names)) == (80, ["a"])
    assert (found.transport_protocol, list(found.application_protocols)) == ("tls", ["h2"])


@pytest.mark.parametrize(
    ("subnet", "prefix", "length"), [("10.8.3.1/16", "10.8.0.0", 16), ("10.0.0.1", "10.0.0.1", 32), ("::1", "::1", 128)]
)
def test_subnets(subnet: str, prefix: str, length: int) -> None:
    """Bits of the host part, which people write, are masked; an address is a range of one."""
    (found,) = _built(Chain(TCP, ChainMatch(subnets=(subnet,)))).filter_chain_match.prefix_ranges
    assert (found.address_prefix, found.prefix_len.value) == (prefix, length)


def test_tcp_proxy_fields() -> None:
    """What a rule says of connections is written into the proxy."""
    assert _proxy(TCP).cluster == "c"
    weighted = _proxy(TcpTarget("s", (WeightedCluster("a", 3), WeightedCluster("b", 1))))
    assert [(c.name, c.weight) for c in weighted.weighted_clusters.clusters] == [("a", 3), ("b", 1)]
    tuned = _proxy(
        TcpTarget(
            "c",
            (WeightedCluster("c"),),
            idle_timeout=timedelta(seconds=9),
            max_duration=timedelta(hours=1),
            hash_source_ip=True,
            tunnel=Tunnel("POST", "a.example:443"),
        )
    )
    assert tuned.idle_timeout.ToSeconds() == 9
    assert tuned.max_downstream_connection_duration.ToSeconds() == 3600
    assert tuned.hash_policy[0].HasField("source_ip")
    assert (tuned.tunneling_config.hostname, tuned.tunneling_config.use_post) == ("a.example:443", True)


def test_http_inline_and_by_name() -> None:
    """Inbound routes travel with the chain, outbound ones are asked for by name."""
    inbound = Chain(HttpTarget(stat_prefix="s", routes=InboundRoute(cluster="c", port=80)))
    outbound = Chain(HttpTarget(stat_prefix="s", routes="80"))
    managers = [
        HttpConnectionManager.FromString(_built(chain, side).filters[-1].typed_config.value)
        for chain, side in ((inbound, Side.INBOUND), (outbound, Side.OUTBOUND))
    ]
    assert [manager.WhichOneof("route_specifier") for manager in managers] == ["route_config", "rds"]


def test_metadata_is_exchanged_inbound_by_istio_only() -> None:
    """Istio's inbound chains begin with the exchange of peer metadata."""
    assert _built(Chain(TCP), Side.INBOUND, istio=True).filters[0].name == "istio.metadata_exchange"
    assert len(_built(Chain(TCP), Side.INBOUND).filters) == 1


def test_terminated_tls_and_origin() -> None:
    """A chain that terminates TLS has a socket; one that an object asked for names it."""
    source = ObjectKey(Kind.VIRTUAL_SERVICE, "shop", "db")
    built = _built(Chain(TCP, tls=TlsServer(), config=source), Side.INBOUND)
    assert built.transport_socket.name == "envoy.transport_sockets.tls"
    config = built.metadata.filter_metadata["istio"]["config"]
    assert config == "/apis/networking.istio.io/v1/namespaces/shop/virtual-service/db"
