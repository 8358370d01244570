"""A memo cell as it starts."""

from __future__ import annotations

from discovery.engine import Database, Input, Node, query
from discovery.engine.node import CLEAN, DIRTY


def test_a_new_node_has_never_run() -> None:
    """Dirty, with nothing read and nobody reading."""

    @query
    def nothing(db: Database, key: int) -> int:
        return key

    node = Node(nothing, 7)
    assert (node.state, node.deps, node.dependents, node.observers) == (DIRTY, (), set(), 0)
    assert repr(node) == "nothing(7)"


def test_states_are_ordered_by_how_much_there_is_to_do() -> None:
    """Clean is falsy: the hottest comparison of the program."""
    db = Database()
    cell: Input[int, int] = Input("cell", default=0)
    cell(db, 1)
    assert db.tables[cell][1].state == CLEAN == 0
