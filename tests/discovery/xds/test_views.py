"""Views of proxies are watched for change, and a broken one keeps its last value."""

from __future__ import annotations

import pytest

from discovery.engine import Database, Input, query
from discovery.mesh.proxy import ProxyKey, ProxyView
from discovery.wire.type_urls import CLUSTER
from discovery.xds.delta import Delta
from discovery.xds.request import Request
from discovery.xds.session import Session
from discovery.xds.views import Views
from tests.kit.xds_world import move, proxy_key, put, refresh, small_world, viewed

BROKEN: Input[str, bool] = Input("broken", default=False)


@query
def fragile(db: Database, key: ProxyKey) -> ProxyView:
    """The view of the kit, unless it is broken."""
    if BROKEN(db, key.namespace):
        raise ValueError("no view")
    return viewed(db, key)


def test_a_proxy_that_moves_is_served_from_elsewhere() -> None:
    """What it no longer sees is taken away, what is new comes."""
    world = small_world()
    put(world, "shop", CLUSTER, {"a": b"a=1"})
    put(world, "next", CLUSTER, {"b": b"b=1"})
    session = Session(world, proxy_key(), Delta(), number=1)
    session.receive(Request(type_url=CLUSTER), 0.0)
    session.next_send(0.0)
    session.receive(Request(type_url=CLUSTER, nonce=session.watches[CLUSTER].nonce), 0.0)
    refresh(world, move(world, "shop", "next"))
    send = session.next_send(0.0)
    assert send is not None
    assert send.resources == 2
    assert len(world.tables) == 2


def test_a_view_that_breaks_stays_as_it_was_and_says_so() -> None:
    """One proxy's trouble is not the others'."""
    world = small_world()
    views = Views(world.db, fragile)
    session = Session(world, proxy_key(), Delta(), number=1)
    node, view = views.join(session, proxy_key())
    commit = world.db.commit([(BROKEN, "shop", True)])
    assert list(views.affected(commit.touched)) == []
    assert views.failing() == {proxy_key(): "no view"}
    commit = world.db.commit([(BROKEN, "shop", False)])
    assert list(views.affected(commit.touched)) == [(session, view)]
    assert views.failing() == {}
    views.leave(session, node)
    assert world.db.commit([(BROKEN, "shop", True)]).touched == ()
    with pytest.raises(ValueError, match="no view"):
        views.join(session, proxy_key())
