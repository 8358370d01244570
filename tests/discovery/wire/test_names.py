"""Resource names: what others parse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.wire.names import (
    ClusterName,
    Direction,
    inbound_cluster,
    listener_name,
    outbound_cluster,
    parse_cluster,
    sni_name,
    virtual_host_name,
    virtual_host_resource,
)

hosts = st.text("abc.-*0", min_size=1, max_size=30)
subsets = st.text("abc-0", max_size=10)


@given(hosts, st.integers(1, 65535), subsets)
def test_cluster_names_round_trip(host: str, port: int, subset: str) -> None:
    """In both forms, the plain one and the one that is legal as a TLS server name."""
    expected = ClusterName(Direction.OUTBOUND, port, subset, host)
    assert parse_cluster(outbound_cluster(host, port, subset)) == expected
    assert parse_cluster(sni_name(host, port, subset)) == expected
    assert str(expected) == outbound_cluster(host, port, subset)


def test_inbound_names_have_only_a_port() -> None:
    """Subset and host are empty."""
    assert parse_cluster(inbound_cluster(8080)) == ClusterName(Direction.INBOUND, 8080, "", "")


@pytest.mark.parametrize(
    "name", ["", "BlackHoleCluster", "outbound|80|x", "outbound|x||h", "sideways|80||h", "a|b|c|d"]
)
def test_other_names_are_none(name: str) -> None:
    """Static clusters and nonsense have no parts."""
    assert parse_cluster(name) is None


def test_listeners_and_virtual_hosts() -> None:
    """Bind and port; host and port, below their route configuration when they travel alone."""
    assert listener_name("0.0.0.0", 80) == "0.0.0.0_80"
    assert virtual_host_name("a.example", 80) == "a.example:80"
    assert virtual_host_resource("80", "a.example:80") == "80/a.example:80"
