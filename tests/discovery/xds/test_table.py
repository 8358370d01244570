"""A table turns a revision back into what has changed since, and never says that it does not know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.engine import Commit
from discovery.translate.tables import TableKey
from discovery.wire.type_urls import CLUSTER, ENDPOINT
from discovery.xds.delta import Delta
from discovery.xds.names import Names, NameSets
from discovery.xds.session import Session
from discovery.xds.table import FellBehindError, Form, Table
from discovery.xds.watch import Watch
from discovery.xds.world import World
from tests.kit.xds_world import index, proxy_key, put, small_world

SETS = NameSets()
ALL = SETS.of(frozenset(), wildcard=True)


class Bench:
    """One table with one watch."""

    def __init__(self, names: Names = ALL, type_url: str = CLUSTER) -> None:
        self.world: World = small_world()
        self.type_url = type_url
        self.session = Session(self.world, proxy_key(), Delta(), number=1)
        self.watch = Watch(self.session, type_url, names)
        self.table: Table = self.world.tables.join(TableKey(type_url, index, ("t", type_url)), self.watch, names)

    def put(self, **content: str) -> Commit:
        commit = put(self.world, "t", self.type_url, {name: text.encode() for name, text in content.items()})
        self.world.tables.refresh(commit.touched)
        return commit


def test_the_change_of_one_resource_is_the_change_of_one_name() -> None:
    """The others are not even read again."""
    bench = Bench()
    bench.put(a="1", b="1", c="1")
    revision = bench.table.revision
    bench.put(a="1", b="2", c="1")
    assert bench.table.changed_since(revision) == ["b"]
    assert bench.table.changed_since(bench.table.revision) == []
    assert sorted(bench.table.changed_since(0)) == ["a", "b", "c"]


def test_a_resource_may_have_no_name() -> None:
    """As the one name table of a proxy; its changes are changes too."""
    bench = Bench()
    bench.put(**{"": "1"})
    revision = bench.table.revision
    bench.put(**{"": "2"})
    assert bench.table.changed_since(revision) == [""]
    assert bench.table.resources[""].value == b"2"


def test_what_is_gone_is_told_and_still_known() -> None:
    """A client that must keep it for a while can be sent its last bytes."""
    bench = Bench()
    bench.put(a="1", b="1")
    revision = bench.table.revision
    bench.put(a="1")
    part = bench.table.part(revision, ALL, Form.DELTA)
    assert (part.sent, part.removed, part.body) == (frozenset(), frozenset("b"), b"")
    last = bench.table.last_of("b")
    assert last is not None
    assert last.value == b"1"


def test_only_what_somebody_asks_for_is_rendered() -> None:
    """Of a type without wildcard, names nobody wants cost nothing."""
    bench = Bench(SETS.of(frozenset({"a", "z"}), wildcard=False), ENDPOINT)
    bench.put(a="1", b="1")
    assert set(bench.table.resources) == {"a"}
    assert bench.world.db.runs_by_query["rendered"] == 1
    assert bench.table.part(0, bench.watch.names, Form.SOTW).missing == {"z"}


def test_leaving_lets_go_of_what_nobody_else_wants() -> None:
    """A table without watchers ends, and its nodes are no longer observed."""
    bench = Bench(SETS.of(frozenset({"a"}), wildcard=False), ENDPOINT)
    bench.put(a="1")
    bench.world.tables.leave(bench.table, bench.watch, bench.watch.names)
    assert len(bench.world.tables) == 0
    assert bench.put(a="2").touched == ()


def test_a_resource_that_cannot_be_computed_keeps_its_last_value() -> None:
    """It holds nobody else back, and it says why until it is well again."""
    bench = Bench()
    bench.put(a="1", b="1")
    bench.put(a="fail", b="2")
    assert {name: resource.value for name, resource in bench.table.resources.items()} == {"a": b"1", "b": b"2"}
    assert bench.table.failures == {"a": "a cannot be rendered"}
    bench.put(a="3", b="2")
    assert bench.table.failures == {}
    assert bench.table.resources["a"].value == b"3"


def test_equal_questions_share_one_answer() -> None:
    """If more than one client may ask; what one alone asks for is not kept."""
    bench = Bench()
    bench.put(a="1")
    assert bench.table.part(0, ALL, Form.DELTA) is not bench.table.part(0, ALL, Form.DELTA)
    other = Watch(bench.session, CLUSTER, ALL)
    bench.table.join(other, ALL)
    assert bench.table.part(0, ALL, Form.DELTA) is bench.table.part(0, ALL, Form.DELTA)


def test_a_client_that_slept_too_long_is_told_so() -> None:
    """Names of what is gone are not kept for ever; the client has to connect anew."""
    bench = Bench()
    bench.put(first="1")
    revision = bench.table.revision
    for number in range(3000):
        bench.put(**{f"n{number}": "1"})
    with pytest.raises(FellBehindError, match="connect anew"):
        bench.table.changed_since(revision)
    assert bench.table.changed_since(bench.table.revision) == []


contents = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123"), max_size=4)


@given(st.lists(contents, min_size=1, max_size=8), st.data())
def test_differences_lead_from_any_revision_to_the_present(history: list[dict[str, str]], data: st.DataObject) -> None:
    """What a client held then, changed by what the table says since then, is what the table holds now."""
    bench = Bench()
    held = {bench.table.revision: dict(bench.table.resources)}
    for content in history:
        bench.put(**content)
        held[bench.table.revision] = dict(bench.table.resources)
    revision = data.draw(st.sampled_from(sorted(held)))
    part = bench.table.part(revision, ALL, Form.DELTA)
    client = {name: r for name, r in held[revision].items() if name not in part.removed}
    client.update((name, bench.table.resources[name]) for name in part.sent)
    assert client == bench.table.resources
    before = dict(bench.table.held(revision))
    assert set(before) >= set(held[revision])
    assert all(
        version in (None, held[revision][name].version) for name, version in before.items() if name in held[revision]
    )
