"""The fixed clusters."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.engine import Database
from discovery.translate.clusters.key import StaticClusterKey
from discovery.translate.clusters.static import inbound_source, static_cluster
from discovery.wire.envoy import Cluster


def built(name: str, *, bound: bool = False) -> Any:
    return Cluster.FromString(static_cluster(Database(), StaticClusterKey(name=name, bound=bound)).value)


def test_the_black_hole_has_no_endpoints() -> None:
    """What is sent there is refused at once."""
    cluster = built("BlackHoleCluster")
    assert cluster.type == Cluster.STATIC
    assert not cluster.HasField("load_assignment")


def test_pass_through_goes_where_it_was_going() -> None:
    """Inbound, it comes from an address that capture rules let pass."""
    outbound, inbound = built("PassthroughCluster"), built("InboundPassthroughCluster")
    assert outbound.type == inbound.type == Cluster.ORIGINAL_DST
    assert not outbound.HasField("upstream_bind_config")
    assert inbound.upstream_bind_config.source_address.address == "127.0.0.6"


def test_the_application_is_behind_no_interface() -> None:
    """Where Envoy binds everything to a device, calls of the application are bound to none."""
    (option,) = built("InboundPassthroughCluster", bound=True).upstream_bind_config.socket_options
    assert (option.level, option.name, option.buf_value) == (1, 25, b"\0")
    assert not built("InboundPassthroughCluster").upstream_bind_config.socket_options


def test_dual_stack_has_both_sources() -> None:
    """One address for each family of the proxy."""
    source = inbound_source(ipv4=True, ipv6=True)
    assert source["source_address"]["address"] == "127.0.0.6"
    assert [extra["address"]["address"] for extra in source["extra_source_addresses"]] == ["::6"]


def test_a_name_that_is_none_of_them() -> None:
    """A programming error is told, not served."""
    with pytest.raises(ValueError, match="no fixed cluster"):
        static_cluster(Database(), StaticClusterKey(name="x"))
