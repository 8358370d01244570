"""One memoised cell of the dependency graph, and the states it passes through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from discovery.engine.cells import Input, Query

__all__ = ["CHECK", "CLEAN", "DIRTY", "RUNNING", "Node"]

# Plain integers, not an enum: they are compared on the hottest path of the program.
CLEAN: Final = 0  # the value is current
CHECK: Final = 1  # something further down changed: current only if no dependency's value changed
DIRTY: Final = 2  # a dependency's value changed, or it never ran
RUNNING: Final = 3  # being computed or checked at this moment


class Node:
    """The memo of one query (or the value of one input) at one key. Changed only by its ``Database``."""

    __slots__ = (
        "cell",
        "changed_at",
        "dependents",
        "deps",
        "error",
        "key",
        "observers",
        "ran_at",
        "state",
        "value",
        "verified_at",
    )

    def __init__(self, cell: Query[Any, Any] | Input[Any, Any], key: Any) -> None:
        self.cell = cell
        self.key = key
        self.value: Any = None
        self.error: Exception | None = None
        self.state: int = DIRTY
        self.deps: tuple[Node, ...] = ()
        self.dependents: set[Node] = set()
        self.changed_at = 0  # revision in which the value became what it is
        self.verified_at = 0  # revision for which the value is known to be current
        self.ran_at = 0  # tick of the last run; ticks order runs within a revision
        self.observers = 0

    def __repr__(self) -> str:
        return f"{self.cell.name}({self.key!r})"
