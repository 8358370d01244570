"""The engine's law and its bookkeeping: what runs again after a change, and what does not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.engine import CommitWhileRunningError, CycleError, Database, Input, query

NUMBER: Input[str, int] = Input("number", default=0)
CHOICE: Input[str, str] = Input("choice", default="a")


@query
def doubled(db: Database, name: str) -> int:
    return 2 * NUMBER(db, name)


@query
def parity(db: Database, name: str) -> int:
    return NUMBER(db, name) % 2


@query
def described(db: Database, name: str) -> str:
    return "odd" if parity(db, name) else "even"


@query
def chosen(db: Database, name: str) -> int:
    return doubled(db, CHOICE(db, name))


@query
def listed(db: Database, name: str) -> tuple[str, ...]:
    return (name, str(NUMBER(db, name) % 2))


@query
def failing(db: Database, name: str) -> int:
    if NUMBER(db, name) < 0:
        raise ValueError(f"{name} is negative")
    return NUMBER(db, name)


@query
def above_failing(db: Database, name: str) -> int:
    return failing(db, name) + 1


def test_a_value_is_computed_once() -> None:
    """Reading twice runs once."""
    db = Database()
    db.commit([(NUMBER, "a", 4)])
    assert (doubled(db, "a"), doubled(db, "a")) == (8, 8)
    assert db.runs_by_query["doubled"] == 1


def test_only_readers_of_a_changed_input_run_again() -> None:
    """A change elsewhere costs nothing."""
    db = Database()
    assert (doubled(db, "a"), doubled(db, "b")) == (0, 0)
    db.commit([(NUMBER, "a", 1)])
    assert (doubled(db, "a"), doubled(db, "b")) == (2, 0)
    assert db.runs_by_query["doubled"] == 3


def test_an_equal_value_stops_the_change() -> None:
    """Where a re-run gives an equal value, what lies above does not run."""
    db = Database()
    assert described(db, "a") == "even"
    db.commit([(NUMBER, "a", 2)])
    assert described(db, "a") == "even"
    assert (db.runs_by_query["parity"], db.runs_by_query["described"]) == (2, 1)
    assert db.stats().cutoffs == 1


def test_an_equal_value_stays_the_object_it_was() -> None:
    """So holders of large values tell by identity that nothing changed."""
    db = Database()
    db.commit([(NUMBER, "a", 1)])
    before = listed(db, "a")
    db.commit([(NUMBER, "a", 3)])
    assert listed(db, "a") is before
    assert db.runs_by_query["listed"] == 2


def test_setting_an_equal_input_is_no_change() -> None:
    """A commit of equal values makes no revision."""
    db = Database()
    db.commit([(NUMBER, "a", 1)])
    revision = db.revision
    commit = db.commit([(NUMBER, "a", 1)])
    assert (commit.revision, commit.changed, commit.touched) == (revision, (), ())


def test_dependencies_follow_the_last_run() -> None:
    """What a query no longer reads no longer wakes it."""
    db = Database()
    db.commit([(NUMBER, "a", 1), (NUMBER, "b", 5)])
    assert chosen(db, "x") == 2
    db.commit([(CHOICE, "x", "b")])
    assert chosen(db, "x") == 10
    runs = db.runs_by_query["chosen"]
    db.commit([(NUMBER, "a", 7)])
    assert chosen(db, "x") == 10
    assert db.runs_by_query["chosen"] == runs


def test_commit_reports_observed_nodes_that_may_have_changed() -> None:
    """Only observed and current nodes are reported, and each once until it is read again."""
    db = Database()
    node = described.node(db, "a")
    db.observe(node)
    db.read(node)
    described(db, "b")
    assert db.commit([(NUMBER, "a", 1), (NUMBER, "b", 1)]).touched == (node,)
    assert db.commit([(NUMBER, "a", 2)]).touched == ()
    db.read(node)
    assert db.commit([(NUMBER, "a", 3)]).touched == (node,)


def test_an_error_is_memoised_and_heals() -> None:
    """A failing query is not run for every reader, and works again once its input does."""
    db = Database()
    db.commit([(NUMBER, "a", -1)])
    for _ in range(2):
        with pytest.raises(ValueError, match="a is negative") as caught:
            above_failing(db, "a")
    assert db.runs_by_query["failing"] == 1
    assert caught.value.__notes__ == ["while computing failing('a')"]
    db.commit([(NUMBER, "a", 3)])
    assert above_failing(db, "a") == 4


def test_a_cycle_names_the_way_round() -> None:
    """A query that needs itself is an error with the path, not a hang."""

    @query
    def left(db: Database, name: str) -> int:
        return right(db, name) if NUMBER(db, name) else 0

    @query
    def right(db: Database, name: str) -> int:
        return left(db, name)

    db = Database()
    assert right(db, "a") == 0
    db.commit([(NUMBER, "a", 1)])
    with pytest.raises(CycleError, match="query cycle") as caught:
        left(db, "a")
    assert caught.value.path == ("left('a')", "right('a')", "left('a')")
    db.commit([(NUMBER, "a", 0)])
    assert left(db, "a") == 0


def test_queries_cannot_commit() -> None:
    """A query sees one revision."""

    @query
    def meddling(db: Database, name: str) -> int:
        return db.commit([(NUMBER, name, 1)]).revision

    with pytest.raises(CommitWhileRunningError):
        meddling(Database(), "a")


def test_provenance_is_every_input_read_below() -> None:
    """The inputs that a value came from, also through other queries."""
    db = Database()
    db.commit([(CHOICE, "x", "b")])
    found = [(node.cell.name, node.key) for node in db.provenance(chosen.node(db, "x"))]
    assert found == [("choice", "x"), ("number", "b")]


def test_collect_keeps_what_observed_nodes_need() -> None:
    """Queries that nobody holds are forgotten; inputs with a value are not."""
    db = Database()
    db.commit([(NUMBER, "a", 1), (NUMBER, "b", 1)])
    db.observe(described.node(db, "a"))
    described(db, "a")
    described(db, "b")
    doubled(db, "never set")
    assert db.collect() == 4  # described and parity of b, doubled of "never set" and its defaulted input
    runs = db.stats().runs
    assert (described(db, "a"), NUMBER(db, "b")) == ("odd", 1)
    assert db.stats().runs == runs
    assert described(db, "b") == "odd"


def test_a_fork_takes_over_what_its_changes_leave_alone() -> None:
    """A fork runs only what its overlay touches, and never disturbs the original."""
    db = Database()
    db.commit([(NUMBER, "a", 1), (NUMBER, "b", 2)])
    assert (doubled(db, "a"), doubled(db, "b")) == (2, 4)
    fork = db.fork([(NUMBER, "a", 10)])
    assert (doubled(fork, "a"), doubled(fork, "b")) == (20, 4)
    assert fork.stats().runs == 1
    assert doubled(db, "a") == 2
    db.commit([(NUMBER, "b", 100)])
    assert (doubled(db, "b"), doubled(fork, "b")) == (200, 4)


@query
def tangled(db: Database, name: str) -> int:
    """Reads a choice of other cells, by values, so that dependencies come and go."""
    total = NUMBER(db, name)
    for other in "abcd":
        if other < name and (NUMBER(db, other) + total) % 3:
            total += tangled(db, other)
    if total % 5 == 4:
        raise ValueError(f"{name}: {total}")
    return total % 4


def outcome(db: Database, name: str) -> object:
    try:
        return tangled(db, name)
    except ValueError as error:
        return str(error)


changes = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 6)), min_size=1, max_size=3)
steps = st.lists(st.tuples(changes, st.sets(st.sampled_from("abcd")), st.sampled_from(["", "collect", "fork"])))


def fresh(inputs: Mapping[str, int]) -> dict[str, object]:
    db = Database()
    db.commit([(NUMBER, name, value) for name, value in inputs.items()])
    return {name: outcome(db, name) for name in "abcd"}


@settings(deadline=None)
@given(steps)
def test_incremental_equals_fresh(history: list[tuple[list[tuple[str, int]], set[str], str]]) -> None:
    """The law: after any history, in the database and in its forks, every query equals its value in a fresh one."""
    db, inputs = Database(), dict[str, int]()
    forks: list[tuple[Database, dict[str, int]]] = []
    for change, reads, act in history:
        if act == "collect":
            db.collect()
        if act == "fork":
            forks.append((db.fork([(NUMBER, name, value) for name, value in change]), inputs | dict(change)))
        else:
            db.commit([(NUMBER, name, value) for name, value in change])
            inputs |= dict(change)
        for name in reads:  # some nodes stay behind by several revisions
            assert outcome(db, name) == fresh(inputs)[name]
    assert {name: outcome(db, name) for name in "abcd"} == fresh(inputs)
    for fork, fork_inputs in forks:
        assert {name: outcome(fork, name) for name in "abcd"} == fresh(fork_inputs)
        fork.commit([(NUMBER, "b", 6)])
        assert {name: outcome(fork, name) for name in "abcd"} == fresh(fork_inputs | {"b": 6})


@settings(deadline=None)
@given(steps)
def test_touched_covers_every_observed_change(history: list[tuple[list[tuple[str, int]], set[str], str]]) -> None:
    """A commit never fails to report an observed node whose value it changed."""
    db = Database()
    nodes = {name: tangled.node(db, name) for name in "abcd"}
    for node in nodes.values():
        db.observe(node)
    before = {name: outcome(db, name) for name in "abcd"}
    for change, _, _ in history:
        touched = db.commit([(NUMBER, name, value) for name, value in change]).touched
        after = {name: outcome(db, name) for name in "abcd"}
        assert {nodes[name] for name in "abcd" if before[name] != after[name]} <= set(touched)
        before = after
