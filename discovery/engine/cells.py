"""Declaring cells: inputs, which commits change, and queries, which are computed from other cells."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Generic, TypeVar

from discovery.engine.node import CLEAN, Node

if TYPE_CHECKING:
    from discovery.engine.database import Database

__all__ = ["Input", "Query", "query"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Input(Generic[K, V]):
    """A table of values from outside, one per key; a key never set has the default.

    Values must be immutable and comparable: equality decides whether anything happened at all.
    """

    __slots__ = ("default", "name")

    def __init__(self, name: str, *, default: V) -> None:
        self.name = name
        self.default = default

    def __call__(self, db: Database, key: K) -> V:
        """The present value; inside a query the read is recorded."""
        node = db.tables[self].get(key)
        if node is None:
            node = db.new_input(self, key)
        frame = db.frame
        if frame is not None:
            frame[node] = None
        return node.value  # type: ignore[no-any-return]  # a call of cast() costs as much as the rest of a hit

    def __repr__(self) -> str:
        return f"<input {self.name}>"


class Query(Generic[K, V]):
    """A pure function of a database and one key, memoised by the database.

    The function does no I/O, reads no clock and no mutable state; whatever it needs besides its key it asks of other
    cells. What it raises is memoised like a value, and raised again to every reader until an input changes.
    """

    __slots__ = ("function", "name")

    def __init__(self, function: Callable[[Database, K], V]) -> None:
        self.function = function
        self.name = function.__name__

    def __call__(self, db: Database, key: K) -> V:
        """The value, computed at most once for the present inputs; inside a query the read is recorded."""
        node = db.tables[self].get(key)
        if node is None:
            node = db.new_node(self, key)
        frame = db.frame
        if frame is not None:
            frame[node] = None
        if node.state != CLEAN:
            db.refresh(node)
        else:
            db.hits += 1
        if node.error is not None:
            raise node.error.with_traceback(None)  # shared by all readers: it must not collect their frames
        return node.value  # type: ignore[no-any-return]  # as above

    def node(self, db: Database, key: K) -> Node:
        """The memo cell itself, for observing; it is not computed by this."""
        return db.tables[self].get(key) or db.new_node(self, key)

    def __repr__(self) -> str:
        return f"<query {self.name}>"


def query(function: Callable[[Database, K], V]) -> Query[K, V]:
    """Make a pure function ``(db, key) -> value`` a query of the engine."""
    return Query(function)
