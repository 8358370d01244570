"""Rules of the load balancing of a DestinationRule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from discovery.schema.destination_rule import (
    ConsistentHashLB,
    LoadBalancerSettings,
    LocalityLoadBalancerSetting,
    WarmupConfiguration,
)
from discovery.schema.proto_json import Problem
from discovery.validation.fields import check_duration, check_one_line, error, warning

__all__ = ["check_load_balancer"]

TOPOLOGY_LABELS: Final = (
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.istio.io/subzone",
    "topology.istio.io/network",
    "topology.istio.io/cluster",
)
_MAX_RING: Final = 8 << 20
_MAGLEV_LIMIT: Final = 5_000_011


def check_load_balancer(settings: LoadBalancerSettings, at: str) -> Iterator[Problem]:
    """What is wrong with the choice of endpoints."""
    if settings.consistent_hash is not None:
        yield from _hash(settings.consistent_hash, f"{at}.consistentHash")
    if settings.locality_lb_setting is not None:
        if settings.zone_aware_lb_setting is not None:
            yield error(at, "want localityLbSetting or zoneAwareLbSetting, got both")
        yield from _locality(settings.locality_lb_setting, f"{at}.localityLbSetting")
    if settings.warmup is not None:
        yield from _warmup(settings.warmup, f"{at}.warmup")
    yield from check_duration(settings.warmup_duration_secs, f"{at}.warmupDurationSecs")


def _hash(settings: ConsistentHashLB, at: str) -> Iterator[Problem]:
    if settings.http_cookie is not None and not settings.http_cookie.name:
        yield error(f"{at}.httpCookie.name", "want the name of a cookie, got none")
    yield from check_one_line(settings.http_header_name or "", f"{at}.httpHeaderName")
    for i, attribute in enumerate(settings.http_cookie.attributes if settings.http_cookie is not None else ()):
        yield from check_one_line(attribute.name, f"{at}.httpCookie.attributes[{i}].name")
        yield from check_one_line(attribute.value, f"{at}.httpCookie.attributes[{i}].value")
    if settings.minimum_ring_size:
        yield warning(f"{at}.minimumRingSize", "is deprecated", "use ringHash")
        yield from _ring_size(settings.minimum_ring_size, f"{at}.minimumRingSize")
        if settings.ring_hash is not None or settings.maglev is not None:
            yield error(f"{at}.minimumRingSize", "does not go with ringHash or maglev", "remove it")
    if settings.ring_hash is not None:
        yield from _ring_size(settings.ring_hash.minimum_ring_size, f"{at}.ringHash.minimumRingSize")
    if settings.maglev is not None and not _maglev_size(settings.maglev.table_size):
        want = f"want a prime number below {_MAGLEV_LIMIT}"
        yield error(f"{at}.maglev.tableSize", f"{want}, got {settings.maglev.table_size}", "65537 is the usual one")


def _ring_size(size: int, at: str) -> Iterator[Problem]:
    if size > _MAX_RING:
        yield error(at, f"want at most {_MAX_RING}, got {size}")


def _maglev_size(size: int) -> bool:
    if not 1 < size < _MAGLEV_LIMIT:
        return False
    return size == 2 or (size % 2 == 1 and all(size % divisor for divisor in range(3, int(size**0.5) + 1, 2)))


def _locality(setting: LocalityLoadBalancerSetting, at: str) -> Iterator[Problem]:
    if setting.distribute and (setting.failover or setting.failover_priority):
        yield error(at, "distribute does not go with failover or failoverPriority", "remove one of them")
    topology = [key for key in setting.failover_priority if key.partition("=")[0] in TOPOLOGY_LABELS]
    if setting.failover and topology:
        yield error(f"{at}.failoverPriority", f"{topology[0]} does not go with failover", "remove one of them")
    yield from _localities([share.from_ for share in setting.distribute], f"{at}.distribute")
    for i, share in enumerate(setting.distribute):
        yield from _localities(share.to, f"{at}.distribute[{i}].to")
        if any(not 0 < weight <= 100 for weight in share.to.values()) or sum(share.to.values()) != 100:
            got = ", ".join(str(weight) for weight in share.to.values()) or "none"
            yield error(f"{at}.distribute[{i}].to", f"want weights from 1 to 100 with the sum 100, got {got}")
    for i, failover in enumerate(setting.failover):
        if failover.from_ == failover.to:
            yield error(f"{at}.failover[{i}]", f"a region cannot fail over to itself ({failover.to!r})")
        for region in (failover.from_, failover.to):
            if "*" in region:
                yield error(f"{at}.failover[{i}]", f"want the name of a region, got {region!r}")


def _localities(localities: Iterable[str], at: str) -> Iterator[Problem]:
    """``region/zone/subzone``, fewer of them, or ``*`` in the place of the last; none of them within another."""
    seen: list[str] = []
    for locality in localities:
        parts = locality.split("/")
        if not all(parts) or len(parts) > 3 or any("*" in part for part in parts[:-1]) or parts[-1].count("*") > 1:
            want = "want region, region/zone or region/zone/subzone, the last perhaps '*'"
            yield error(at, f"{want}, got {locality!r}")
            continue
        place = locality.removesuffix("*").removesuffix("/")
        for other in seen:
            if _within(place, other) or _within(other, place):
                yield error(at, f"{locality!r} overlaps another locality", "remove one of them")
                break
        seen.append(place)


def _within(place: str, area: str) -> bool:
    return not area or place == area or place.startswith(f"{area}/")


def _warmup(warmup: WarmupConfiguration, at: str) -> Iterator[Problem]:
    if warmup.duration is None:
        yield error(f"{at}.duration", "want a duration, got none")
    yield from check_duration(warmup.duration, f"{at}.duration")
    if warmup.minimum_percent is not None and not 0 <= warmup.minimum_percent <= 100:
        yield error(f"{at}.minimumPercent", f"want a percentage from 0 to 100, got {warmup.minimum_percent:g}")
    if warmup.aggression is not None and warmup.aggression <= 0:
        yield error(f"{at}.aggression", f"want more than 0, got {warmup.aggression:g}")
