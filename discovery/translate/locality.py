"""Preference for near endpoints: priorities for failover, weights for an explicit distribution.

Spec: https://istio.io/latest/docs/reference/config/networking/destination-rule/#LocalityLoadBalancerSetting
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Final, NamedTuple

from discovery.schema.destination_rule import Distribute, LocalityLoadBalancerSetting, TrafficPolicy

__all__ = [
    "LocalityShare",
    "balances_localities",
    "effective_setting",
    "prefers_same_zone",
    "share_localities",
    "share_zones",
]

SAME_ZONE: Final = "PreferSameZone"


class LocalityShare(NamedTuple):
    """How much of the traffic a locality gets."""

    priority: int
    weight: int


def effective_setting(
    policy: TrafficPolicy | None, mesh: LocalityLoadBalancerSetting | None
) -> LocalityLoadBalancerSetting | None:
    """The rule's setting, else the mesh's; None where it is switched off."""
    lb = policy.load_balancer if policy is not None else None
    setting = lb.locality_lb_setting if lb is not None and lb.locality_lb_setting is not None else mesh
    return None if setting is None or setting.enabled is False else setting


def balances_localities(policy: TrafficPolicy | None, mesh: LocalityLoadBalancerSetting | None) -> bool:
    """Whether the proxy's own locality matters: for a distribution always, for failover with outlier detection."""
    setting = effective_setting(policy, mesh)
    if setting is None:
        return False
    return bool(setting.distribute) or (policy is not None and policy.outlier_detection is not None)


def prefers_same_zone(policy: TrafficPolicy | None, distribution: str) -> bool:
    """Whether a service's own wish for near endpoints counts: what a rule says about localities is stronger.

    Spec: https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-distribution
    """
    lb = policy.load_balancer if policy is not None else None
    return distribution == SAME_ZONE and (lb is None or lb.locality_lb_setting is None)


def share_zones(own: str, weights: Mapping[str, int]) -> dict[str, LocalityShare]:
    """What each locality gets where the same zone is preferred, then the same region."""
    return _ranked({place: max(1, _distance(own, place, {})) for place in weights}, weights)


def share_localities(
    own: str, weights: Mapping[str, int], setting: LocalityLoadBalancerSetting
) -> dict[str, LocalityShare]:
    """What each locality gets, for a proxy in locality ``own``; a locality that is left out gets nothing.

    Args:
        own: ``region/zone/subzone`` of the proxy.
        weights: summed endpoint weights by locality.
        setting: distribution or failover.
    """
    for rule in setting.distribute:
        if _covers(rule.from_, own):
            return _distribute(weights, rule)
    failover = {rule.from_: rule.to for rule in setting.failover}
    priorities = {place: _distance(own, place, failover) for place in weights}
    return _ranked(priorities, weights)


def _ranked(priorities: Mapping[str, int], weights: Mapping[str, int]) -> dict[str, LocalityShare]:
    """Priorities without gaps, as Envoy wants them."""
    ranks = {priority: rank for rank, priority in enumerate(sorted(set(priorities.values())))}
    return {place: LocalityShare(ranks[priorities[place]], weights[place]) for place in weights}


def _distribute(weights: Mapping[str, int], rule: Distribute) -> dict[str, LocalityShare]:
    shares: dict[str, LocalityShare] = {}
    for pattern, percent in rule.to.items():
        chosen = [place for place in weights if place not in shares and _covers(pattern, place)]
        total = sum(weights[place] for place in chosen)
        for place in chosen:
            shares[place] = LocalityShare(0, ceil(weights[place] * percent / total) if total else 0)
    return {place: share for place, share in shares.items() if share.weight}


def _covers(pattern: str, place: str) -> bool:
    """``region/zone/*`` and shorter patterns cover everything below."""
    wanted = pattern.split("/")
    have: Sequence[str] = place.split("/")
    for index, part in enumerate(wanted):
        if part == "*":
            return True
        if index >= len(have) or have[index] != part:
            return False
    return True


def _distance(own: str, place: str, failover: Mapping[str, str]) -> int:
    """0 the same subzone, 1 the same zone, 2 the same region, 3 elsewhere (4: not where failover leads)."""
    mine, theirs = _parts(own), _parts(place)
    if mine[0] != theirs[0]:
        target = failover.get(mine[0])
        return 4 if target is not None and target != theirs[0] else 3
    if mine[1] != theirs[1]:
        return 2
    return 1 if mine[2] != theirs[2] else 0


def _parts(place: str) -> list[str]:
    """Region, zone and subzone; empty where not stated."""
    return [*place.split("/"), "", "", ""][:3]
