"""Make before break, as a table."""

from __future__ import annotations

import pytest

from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, NAME_TABLE, ROUTE, VIRTUAL_HOST
from discovery.xds.delta import Delta
from discovery.xds.names import NameSets
from discovery.xds.plan import must_wait, removals_wait
from discovery.xds.session import Session
from discovery.xds.watch import Sent, Watch
from tests.kit.xds_world import proxy_key, small_world

NONE: frozenset[str] = frozenset()


def watches(*busy: str) -> dict[str, Watch]:
    """Watches of all types, those named with a response in flight."""
    session = Session(small_world(), proxy_key(), Delta(), number=1)
    names = NameSets().of(NONE, wildcard=True)
    made = {t: Watch(session, t, names) for t in (CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST)}
    for type_url, watch in made.items():
        watch.dirty = False
        watch.in_flight = Sent("1", (), b"") if type_url in busy else None
    return made


@pytest.mark.parametrize("type_url", [LISTENER, ROUTE, VIRTUAL_HOST])
def test_what_refers_to_clusters_waits_for_them(type_url: str) -> None:
    """Until they are acknowledged, and those that are new are warm."""
    assert not must_wait(type_url, watches(), NONE)
    assert must_wait(type_url, watches(CLUSTER), NONE)
    assert must_wait(type_url, watches(), frozenset({"new"}))
    assert not must_wait(type_url, watches(ENDPOINT), NONE)  # endpoints that come and go all the time hold nobody up
    assert not must_wait(type_url, {}, NONE)


@pytest.mark.parametrize("type_url", [CLUSTER, ENDPOINT, NAME_TABLE])
def test_everything_else_goes_at_once(type_url: str) -> None:
    """Nothing that comes before clusters or has nothing to do with them waits."""
    assert not must_wait(type_url, watches(CLUSTER), frozenset({"new"}))


@pytest.mark.parametrize("busy", [LISTENER, ROUTE, VIRTUAL_HOST])
def test_clusters_and_endpoints_stay_while_a_route_may_name_them(busy: str) -> None:
    """Their removal waits for listeners, routes and virtual hosts."""
    assert removals_wait(CLUSTER, watches(busy))
    assert removals_wait(ENDPOINT, watches(busy))
    assert not removals_wait(LISTENER, watches(busy))
    assert not removals_wait(CLUSTER, watches(ENDPOINT))
