"""Declaring inputs and queries."""

from __future__ import annotations

from discovery.engine import Database, Input, query

SIZE: Input[str, int] = Input("size", default=3)


@query
def area(db: Database, name: str) -> int:
    return SIZE(db, name) ** 2


def test_an_input_never_set_has_its_default() -> None:
    """Reading it is recorded all the same: setting it later wakes the reader."""
    db = Database()
    assert area(db, "a") == 9
    db.commit([(SIZE, "a", 4)])
    assert area(db, "a") == 16


def test_cells_go_by_the_name_of_what_they_are() -> None:
    """Names show in provenance, in errors and in counts."""
    db = Database()
    area(db, "a")
    assert (area.name, SIZE.name) == ("area", "size")
    assert (repr(area), repr(SIZE)) == ("<query area>", "<input size>")
    assert db.runs_by_query == {"area": 1}


def test_reading_outside_a_query_is_allowed() -> None:
    """Nothing records it then."""
    assert SIZE(Database(), "a") == 3


def test_a_node_can_be_held_before_it_is_computed() -> None:
    """For observing; it is one and the same for equal keys."""
    db = Database()
    node = area.node(db, "a")
    assert node is area.node(db, "a")
    assert db.runs_by_query.total() == 0
    assert db.read(node) == 9
