"""The database: commits mark what may have changed, reads bring back up to date exactly what is read.

The algorithm is the red-green one of demand-driven build systems. A commit marks direct readers of a changed input
DIRTY and everything above them CHECK. A read of a CHECK node first brings its dependencies up to date, in the order in
which they were read; if none of their values changed it is clean without running (early cutoff).

Spec: "Build systems à la carte" (Mokhov, Mitchell, Peyton Jones, 2018), sections 3.2 and 5.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

from discovery.engine.cells import Input, Query
from discovery.engine.errors import CommitWhileRunningError, CycleError
from discovery.engine.node import CHECK, CLEAN, DIRTY, RUNNING, Node

__all__ = ["Change", "Commit", "Database", "Stats"]

Cell = Input[Any, Any] | Query[Any, Any]
Change = tuple[Input[Any, Any], Hashable, Any]


class Commit(NamedTuple):
    """What a commit did."""

    revision: int
    changed: tuple[Node, ...]  # inputs whose value is different now
    touched: tuple[Node, ...]  # observed nodes that were current and may have changed


class Stats(NamedTuple):
    """Counts since the database was made; tests assert on differences of these, never on time."""

    runs: int  # query functions executed
    hits: int  # reads answered from a current memo
    cutoffs: int  # nodes found current without running although something below them changed
    nodes: int  # cells alive


class Database:
    """Owns every node. One thread; queries run inside reads, commits between them."""

    def __init__(self) -> None:
        self.revision = 1
        self.tables: defaultdict[Cell, dict[Any, Node]] = defaultdict(dict)
        self.frame: dict[Node, None] | None = None  # what the running query has read, in order
        self.hits = 0
        self.runs_by_query: Counter[str] = Counter()
        self._cutoffs = 0
        self._tick = 0
        self._running: list[Node] = []  # outermost first; names the way round when there is a cycle
        self._origin: _Origin | None = None

    # -- inputs ----------------------------------------------------------------------------------------------------

    def commit(self, changes: Iterable[Change]) -> Commit:
        """Set inputs, all at once, as one revision; a value equal to the present one changes nothing.

        Raises:
            CommitWhileRunningError: called from inside a query.
        """
        if self.frame is not None:
            raise CommitWhileRunningError("a query called commit(); queries only read")
        revision = self.revision + 1
        changed: dict[Node, None] = {}
        for cell, key, value in changes:
            node = self.tables[cell].get(key)
            if node is None:
                node = self.new_input(cell, key)
            if node.value == value:
                continue
            node.value = value
            node.changed_at = revision
            changed[node] = None
        if changed:
            self.revision = revision
        return Commit(self.revision, tuple(changed), tuple(self._mark(changed)))

    def _mark(self, changed: Iterable[Node]) -> Iterable[Node]:
        """Dirty the readers of changed inputs and flag everything above; gives the observed ones among them."""
        touched: list[Node] = []
        pending: list[Node] = []
        for node in changed:
            for reader in node.dependents:
                if reader.state == CLEAN:
                    pending.append(reader)
                reader.state = DIRTY
        while pending:
            node = pending.pop()
            if node.observers:
                touched.append(node)
            for reader in node.dependents:
                if reader.state == CLEAN:
                    reader.state = CHECK
                    pending.append(reader)
        return touched

    # -- reading (called by the cells) -----------------------------------------------------------------------------

    def new_input(self, cell: Input[Any, Any], key: Hashable) -> Node:
        """The node of an input key read or set for the first time."""
        node = Node(cell, key)
        node.value = cell.default
        node.state = CLEAN
        if self._origin is not None:
            node.value = self._origin.inputs.get(cell, {}).get(key, cell.default)
        self.tables[cell][key] = node
        return node

    def new_node(self, cell: Query[Any, Any], key: Hashable) -> Node:
        """The node of a query asked for the first time; in a fork the original's memo is taken over where it holds."""
        if self._origin is not None:
            adopted = self._adopt(cell, key, self._origin)
            if adopted is not None:
                return adopted
        node = Node(cell, key)
        self.tables[cell][key] = node
        return node

    def refresh(self, node: Node) -> None:
        """Bring a node that is not clean up to date."""
        if node.state == RUNNING:
            around = self._running[self._running.index(node) :]
            raise CycleError([repr(n) for n in [*around, node]])
        if node.state == CHECK and self._still_holds(node):
            node.state = CLEAN
            node.verified_at = self.revision
            self._cutoffs += 1
            return
        self._run(node)

    def _still_holds(self, node: Node) -> bool:
        node.state = RUNNING
        self._running.append(node)
        try:
            for dep in node.deps:
                if dep.state == RUNNING:
                    return False  # let the run itself report the cycle
                if dep.state != CLEAN:
                    self.refresh(dep)
                if dep.changed_at > node.verified_at:
                    return False
        finally:
            self._running.pop()
            node.state = DIRTY
        return True

    def _run(self, node: Node) -> None:
        frame: dict[Node, None] = {}
        outer, self.frame = self.frame, frame
        self._running.append(node)
        node.state = RUNNING
        value: Any = None
        error: Exception | None = None
        try:
            value = node.cell.function(self, node.key)  # type: ignore[union-attr]  # only queries are ever run
        except Exception as failure:  # noqa: BLE001 - memoised, and raised to every reader
            if not hasattr(failure, "__notes__"):
                failure.add_note(f"while computing {node!r}")
            error = failure
        finally:
            node.state = DIRTY  # stays so if the process is being stopped in mid-query
            self._running.pop()
            self.frame = outer
        self._link(node, tuple(frame))
        self._tick += 1
        node.ran_at = self._tick
        if error is not None or node.error is not None or node.changed_at == 0 or node.value != value:
            node.changed_at = self.revision
            node.value, node.error = value, error  # an equal value stays the object it was: "is" finds it equal at once
        node.verified_at = self.revision
        node.state = CLEAN
        self.runs_by_query[node.cell.name] += 1

    @staticmethod
    def _link(node: Node, deps: tuple[Node, ...]) -> None:
        old = node.deps
        if deps == old:
            return
        if old:
            for dep in set(old).difference(deps):
                dep.dependents.discard(node)
        node.deps = deps
        for dep in deps:
            dep.dependents.add(node)

    # -- observing -------------------------------------------------------------------------------------------------

    def observe(self, node: Node) -> None:
        """Have commits report this node when it may have changed; also keeps it from being collected."""
        node.observers += 1

    def unobserve(self, node: Node) -> None:
        """Take one ``observe`` back."""
        node.observers -= 1

    def read(self, node: Node) -> Any:
        """The current value of a node that one holds.

        Raises:
            Exception: what the query raised.
        """
        if node.state != CLEAN:
            self.refresh(node)
        if node.error is not None:
            raise node.error.with_traceback(None)  # shared by all readers: it must not collect their frames
        return node.value

    def collect(self) -> int:
        """Forget queries that no observed node needs, and inputs at their default that nobody reads; gives how many."""
        live: set[Node] = set()
        pending = [n for table in self.tables.values() for n in table.values() if n.observers or n.state == RUNNING]
        while pending:
            node = pending.pop()
            if node not in live:
                live.add(node)
                pending.extend(node.deps)
        dropped = 0
        for cell, table in self.tables.items():
            for key in [k for k, n in table.items() if n not in live and not _holds_state(cell, n)]:
                node = table.pop(key)
                for dep in node.deps:
                    dep.dependents.discard(node)
                dropped += 1
        return dropped

    # -- asking about the graph ------------------------------------------------------------------------------------

    def provenance(self, node: Node) -> tuple[Node, ...]:
        """The input nodes that the node's value came from, in the order in which they were first read."""
        self.read(node)
        seen: dict[Node, None] = {}
        pending = [node]
        while pending:
            current = pending.pop()
            if current in seen:
                continue
            seen[current] = None
            pending.extend(reversed(current.deps))
        return tuple(n for n in seen if isinstance(n.cell, Input))

    def stats(self) -> Stats:
        """Counters so far."""
        nodes = sum(len(table) for table in self.tables.values())
        return Stats(self.runs_by_query.total(), self.hits, self._cutoffs, nodes)

    # -- forks -----------------------------------------------------------------------------------------------------

    def fork(self, changes: Iterable[Change] = ()) -> Database:
        """A database that starts from the present inputs, overlaid by ``changes``; the original never notices.

        Memos of the original that do not depend on changed inputs are taken over instead of being run again, also if
        the original moves on afterwards.
        """
        copy = Database()
        copy.revision = self.revision
        copy._origin = _Origin(
            database=self,
            tick=self._tick,
            revision=self.revision,
            inputs={
                cell: {key: node.value for key, node in table.items()}
                for cell, table in self.tables.items()
                if isinstance(cell, Input)
            },
        )
        copy.commit(changes)
        return copy

    def _adopt(self, cell: Query[Any, Any], key: Hashable, origin: _Origin) -> Node | None:
        """Take over the original's memo with all that it rests on, unless the original has moved past the fork."""
        mine = self.tables[cell].get(key)
        if mine is not None:
            return mine
        theirs = origin.database.tables[cell].get(key)
        if theirs is None or theirs.state != CLEAN or theirs.ran_at > origin.tick:
            return None
        deps: list[Node] = []
        for dep in theirs.deps:
            if isinstance(dep.cell, Input):
                deps.append(self.tables[dep.cell].get(dep.key) or self.new_input(dep.cell, dep.key))
                continue
            adopted = self._adopt(dep.cell, dep.key, origin)
            if adopted is None:
                return None
            deps.append(adopted)
        node = Node(cell, key)
        node.value, node.error = theirs.value, theirs.error
        node.changed_at, node.verified_at = theirs.changed_at, origin.revision
        self._link(node, tuple(deps))
        stale = any(dep.state != CLEAN or dep.changed_at > node.verified_at for dep in deps)
        node.state = CHECK if stale else CLEAN
        self.tables[cell][key] = node
        return node


class _Origin(NamedTuple):
    """Where a fork came from: the original, how far it had got, and what its inputs were."""

    database: Database
    tick: int
    revision: int
    inputs: dict[Cell, dict[Any, Any]]


def _holds_state(cell: Cell, node: Node) -> bool:
    """Whether forgetting the node would lose a value from outside."""
    return isinstance(cell, Input) and node.value != cell.default
