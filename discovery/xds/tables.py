"""All living tables: made for the first connection that needs them, dropped with the last, kept up with commits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from discovery.engine import Database, Node
from discovery.translate.tables import TableKey
from discovery.xds.names import Names
from discovery.xds.table import Table
from discovery.xds.watch import Watch

__all__ = ["Tables"]


class Tables:
    """Maps table keys to tables and observed nodes to the tables that they feed."""

    def __init__(self, db: Database) -> None:
        self.dropped = 0  # tables let go so far; their queries can be collected
        self._db = db
        self._tables: dict[TableKey, Table] = {}
        self._fed_by: dict[Node, tuple[Table, ...]] = {}

    def join(self, key: TableKey, watch: Watch, names: Names) -> Table:
        """The table of a key, materialised at least for these names, with the watch among its watchers."""
        table = self._tables.get(key)
        if table is None:
            table = self._tables[key] = Table(self._db, key)
            self._feed([table.index_node], table)
        self._feed(table.join(watch, names), table)
        return table

    def rename(self, table: Table, watch: Watch, before: Names, after: Names) -> None:
        """The watch, already among the watchers, asks for other names."""
        if before is not after:
            self._feed(table.join(watch, after), table)
            self._starve(table.leave(watch, before), table)

    def leave(self, table: Table, watch: Watch, names: Names) -> None:
        """Take ``join`` back; a table without watchers ends."""
        self._starve(table.leave(watch, names), table)
        if not table.groups:
            self._starve(table.close(), table)
            del self._tables[table.key]
            self.dropped += 1

    def refresh(self, touched: Iterable[Node]) -> dict[Table, frozenset[str]]:
        """Bring tables up to date with touched nodes; gives those that changed, with the names that did."""
        by_table: dict[Table, set[Node]] = {}
        for node in touched:
            for table in self._fed_by.get(node, ()):
                by_table.setdefault(table, set()).add(node)
        changes: dict[Table, frozenset[str]] = {}
        for table, nodes in by_table.items():
            changed, bound, released = table.refresh(nodes)
            self._starve(released, table)
            self._feed(bound, table)
            if changed:
                changes[table] = changed
        return changes

    def fed_by(self, node: Node) -> tuple[Table, ...]:
        """The tables that a node feeds."""
        return self._fed_by.get(node, ())

    def types_fed_by(self, node: Node) -> Iterator[str]:
        """The type URLs of the tables that a node feeds."""
        return (table.key.type_url for table in self._fed_by.get(node, ()))

    def trim(self) -> None:
        """Drop memoised answers of all tables; for quiet times."""
        for table in self._tables.values():
            table.trim()

    def __iter__(self) -> Iterator[Table]:
        return iter(self._tables.values())

    def __len__(self) -> int:
        return len(self._tables)

    def _feed(self, nodes: Iterable[Node], table: Table) -> None:
        alone = (table,)  # one for all: most nodes feed one table
        fed_by = self._fed_by
        for node in nodes:
            others = fed_by.get(node)
            fed_by[node] = alone if others is None else (*others, table)

    def _starve(self, nodes: Iterable[Node], table: Table) -> None:
        for node in nodes:
            rest = tuple(other for other in self._fed_by[node] if other is not table)
            if rest:
                self._fed_by[node] = rest
            else:
                del self._fed_by[node]
