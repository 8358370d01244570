"""Tables live as long as somebody draws from them, and are shared by all who ask for the same."""

from __future__ import annotations

from discovery.translate.tables import TableKey
from discovery.wire.type_urls import CLUSTER, ENDPOINT
from discovery.xds.delta import Delta
from discovery.xds.names import NameSets
from discovery.xds.session import Session
from discovery.xds.watch import Watch
from tests.kit.xds_world import index, proxy_key, put, small_world

SETS = NameSets()
ALL = SETS.of(frozenset(), wildcard=True)


def test_equal_keys_are_one_table_until_the_last_one_leaves() -> None:
    """A thousand proxies of one scope share it."""
    world = small_world()
    session = Session(world, proxy_key(), Delta(), number=1)
    one, two = Watch(session, CLUSTER, ALL), Watch(session, CLUSTER, ALL)
    key = TableKey(CLUSTER, index, ("t", CLUSTER))
    table = world.tables.join(key, one, ALL)
    assert world.tables.join(key, two, ALL) is table
    world.tables.leave(table, one, ALL)
    assert list(world.tables) == [table]
    world.tables.leave(table, two, ALL)
    assert (len(world.tables), world.tables.dropped) == (0, 1)


def test_a_commit_reaches_the_tables_that_it_touches_and_no_others() -> None:
    """Work is in proportion to the change."""
    world = small_world()
    session = Session(world, proxy_key(), Delta(), number=1)
    near = world.tables.join(TableKey(CLUSTER, index, ("near", CLUSTER)), Watch(session, CLUSTER, ALL), ALL)
    world.tables.join(TableKey(CLUSTER, index, ("far", CLUSTER)), Watch(session, CLUSTER, ALL), ALL)
    commit = put(world, "near", CLUSTER, {"a": b"1"})
    assert {kind for node in commit.touched for kind in world.tables.types_fed_by(node)} == {CLUSTER}
    assert world.tables.refresh(commit.touched) == {near: {"a"}}
    world.tables.trim()
    assert near.resources["a"].value == b"1"


def test_a_watch_may_ask_for_other_names() -> None:
    """The table renders what is new and lets go of what is not wanted any more."""
    world = small_world()
    session = Session(world, proxy_key(), Delta(), number=1)
    before, after = SETS.of(frozenset("a"), wildcard=False), SETS.of(frozenset("b"), wildcard=False)
    watch = Watch(session, ENDPOINT, before)
    put(world, "t", ENDPOINT, {"a": b"1", "b": b"1"})
    table = world.tables.join(TableKey(ENDPOINT, index, ("t", ENDPOINT)), watch, before)
    world.tables.rename(table, watch, before, after)
    assert set(table.resources) == {"b"}
    assert list(table.watchers(frozenset("b"))) == [watch]
    assert list(table.watchers(frozenset("a"))) == []
