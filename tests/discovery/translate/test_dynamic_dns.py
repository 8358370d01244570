"""Hosts that nobody declared, resolved by the proxy."""

from __future__ import annotations

import pytest

from discovery.translate.dynamic_dns import dns_cache, dns_family, family_of_unknown_hosts
from discovery.wire.envoy import DynamicForwardCluster, DynamicForwardProxy
from tests.kit.envoy_types import unpack
from tests.kit.world import World

RESOLVED = "{kind: MeshConfig, outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}}"


@pytest.mark.parametrize(
    ("families", "expected"),
    [((True, False), "V4_ONLY"), ((False, True), "V6_ONLY"), ((True, True), "ALL"), ((False, False), "V4_ONLY")],
)
def test_the_proxys_addresses_say_what_is_looked_up(families: tuple[bool, bool], expected: str) -> None:
    """An address of a family that a proxy does not have would be of no use to it."""
    assert dns_family(ipv4=families[0], ipv6=families[1]) == expected


def test_only_if_the_policy_asks_for_it() -> None:
    """Otherwise there is no cluster, no filter and no cache."""
    plain, resolved = World(), World(RESOLVED)
    assert family_of_unknown_hosts(plain.db, plain.view.outbound) == ""
    assert "AllowAnyDynamicDNSCluster" not in plain.clusters()
    assert family_of_unknown_hosts(resolved.db, resolved.view.outbound) == "V4_ONLY"


def test_filter_and_cluster_describe_the_cache_alike() -> None:
    """Envoy refuses two caches of one name that differ."""
    world = World(RESOLVED)
    cluster = unpack(world.clusters()["AllowAnyDynamicDNSCluster"].cluster_type.typed_config)
    chain = next(c for c in world.listeners()["virtualOutbound"].filter_chains if c.name.endswith("-http"))
    manager = unpack(chain.filters[-1].typed_config)
    proxies = [unpack(f.typed_config) for f in manager.http_filters if f.name.endswith("dynamic_forward_proxy")]
    assert isinstance(cluster, DynamicForwardCluster)
    assert [type(proxy) for proxy in proxies] == [DynamicForwardProxy]
    assert cluster.dns_cache_config == proxies[0].dns_cache_config
    assert cluster.dns_cache_config.name == dns_cache("V4_ONLY")["name"] == "allow_any_dfp_dns_cache"
