"""Near endpoints first: priorities, distributions, and when the proxy's own place matters at all."""

from __future__ import annotations

import pytest

from discovery.schema.destination_rule import (
    Distribute,
    Failover,
    LoadBalancerSettings,
    LocalityLoadBalancerSetting,
    OutlierDetection,
    TrafficPolicy,
)
from discovery.translate.locality import (
    LocalityShare,
    balances_localities,
    effective_setting,
    prefers_same_zone,
    share_localities,
    share_zones,
)

ON = LocalityLoadBalancerSetting(enabled=True)
OFF = LocalityLoadBalancerSetting(enabled=False)
PLACES = {"r1/z1/s1": 1, "r1/z1/s2": 1, "r1/z2/s1": 1, "r2/z1/s1": 1, "r3/z1/s1": 1}


def priorities(own: str, setting: LocalityLoadBalancerSetting) -> list[int]:
    shares = share_localities(own, PLACES, setting)
    return [shares[place].priority for place in PLACES]


@pytest.mark.parametrize(
    ("own", "setting", "expected"),
    [
        ("r1/z1/s1", ON, [0, 1, 2, 3, 3]),
        ("r1/z2/s9", ON, [1, 1, 0, 2, 2]),
        ("r1/z1/s1", LocalityLoadBalancerSetting(failover=(Failover(from_="r1", to="r3"),)), [0, 1, 2, 4, 3]),
        ("r9/z9/s9", ON, [0, 0, 0, 0, 0]),
    ],
)
def test_priorities_follow_distance_without_gaps(
    own: str, setting: LocalityLoadBalancerSetting, expected: list[int]
) -> None:
    """Same subzone, zone, region, elsewhere; where a failover leads comes before other regions."""
    assert priorities(own, setting) == expected


def test_distribution_splits_by_percentage() -> None:
    """The first rule that covers the proxy decides; a place that no rule names gets nothing."""
    rule = Distribute(from_="r1/*", to={"r1/z1/*": 80, "r2/z1/s1": 20})
    shares = share_localities("r1/z1/s1", PLACES, LocalityLoadBalancerSetting(distribute=(rule,)))
    assert shares == {
        "r1/z1/s1": LocalityShare(0, 40),
        "r1/z1/s2": LocalityShare(0, 40),
        "r2/z1/s1": LocalityShare(0, 20),
    }


def test_the_rule_wins_over_the_mesh() -> None:
    """A rule may switch the mesh's preference off, and its own distribution needs no outlier detection."""
    off = TrafficPolicy(load_balancer=LoadBalancerSettings(locality_lb_setting=OFF))
    assert effective_setting(off, ON) is None
    assert not balances_localities(None, ON)
    assert balances_localities(TrafficPolicy(outlier_detection=OutlierDetection()), ON)
    assert not balances_localities(TrafficPolicy(outlier_detection=OutlierDetection()), OFF)


@pytest.mark.parametrize(
    ("setting", "distribution", "prefers"),
    [(None, "PreferSameZone", True), (None, "", False), (ON, "PreferSameZone", False), (OFF, "PreferSameZone", False)],
)
def test_a_service_may_wish_for_its_own_zone(
    setting: LocalityLoadBalancerSetting | None, distribution: str, *, prefers: bool
) -> None:
    """What a rule says about localities is stronger, switching it off included."""
    policy = TrafficPolicy(load_balancer=LoadBalancerSettings(locality_lb_setting=setting))
    assert prefers_same_zone(policy, distribution) is prefers
    assert prefers_same_zone(None, distribution) is (distribution != "")


def test_zones_are_ranked_without_regard_to_subzones() -> None:
    """The same zone, the same region, elsewhere."""
    assert [share.priority for share in share_zones("r1/z1/s1", PLACES).values()] == [0, 0, 1, 2, 2]
    assert [share.priority for share in share_zones("r1/z9/s1", PLACES).values()] == [0, 0, 0, 1, 1]
