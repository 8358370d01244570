"""A table brought to life: the resources that somebody is served, how they came to be, and who watches them.

All connections with an equal key share one table, so what a connection must remember is only how far it was brought: a
revision. ``since`` turns that number back into what has changed; it never answers "I no longer know".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from discovery.engine import Database, Node
from discovery.translate.tables import Index, ResourceRef, TableKey
from discovery.wire.protowire import bytes_field
from discovery.wire.resource import Resource
from discovery.xds.names import Names

if TYPE_CHECKING:
    from discovery.xds.watch import Watch

__all__ = ["FellBehindError", "Form", "Part", "Table"]

_PARTS_KEPT = 16  # memoised parts per table and revision; more than that are not shared by many
_GONE_KEPT = 1024  # names of removed resources remembered beyond the number present, before they are let go


class Form(Enum):
    """How resources are framed in a response."""

    DELTA = "delta"  # Resource{name, version, Any}
    SOTW = "sotw"  # Any


class FellBehindError(RuntimeError):
    """A client took so long that its table has forgotten what it holds; it must connect anew and say so itself."""


class Part(NamedTuple):
    """What a table has for a client that was brought to some revision before."""

    body: bytes  # framed as the field ``resources`` of a response
    sent: frozenset[str]  # names in the body
    removed: frozenset[str]  # names that were there and are gone
    missing: frozenset[str]  # names asked for that the table does not have (only from revision 0)
    versions: Mapping[str, str]  # of ``sent``


def frame(resource: Resource, form: Form) -> bytes:
    """The resource as one entry of the field ``resources`` (number 2 in both kinds of response)."""
    return bytes_field(2, resource.delta_bytes() if form is Form.DELTA else resource.any_bytes())


def _differences(before: Index, after: Index) -> list[str]:
    """Names that only one of the two has, or that lead elsewhere."""
    gone = before.keys() - after.keys()
    return [*gone, *(name for name, reference in after.items() if before.get(name) != reference)]


class Table:
    """One table key, materialised as far as it is wanted. Owned by ``Tables``; watches join and leave.

    Attributes:
        revision: counts refreshes that changed something; starts at 1, so 0 means "holds nothing".
        resources: present resources by name; for a type of which nobody wants all, only those that somebody wants.
        failures: names (or ``*`` for the index) that could not be computed, with the error; the last good value stays.
    """

    __slots__ = (
        "_changed_at",
        "_db",
        "_floor",
        "_gone",
        "_index",
        "_name_of",
        "_node_of",
        "_parts",
        "_wanted",
        "_wildcards",
        "failures",
        "groups",
        "index_node",
        "key",
        "resources",
        "revision",
    )

    def __init__(self, db: Database, key: TableKey) -> None:
        self.key = key
        self.revision = 1
        self.resources: dict[str, Resource] = {}
        self.groups: dict[Names, dict[Watch, None]] = {}
        self.failures: dict[str, str] = {}
        self.index_node = key.index.node(db, key.key)
        self._db = db
        self._index: Index = {}
        self._node_of: dict[str, Node] = {}
        self._name_of: dict[Node, str] = {}
        self._wanted: Counter[str] = Counter()
        self._wildcards = 0
        self._changed_at: dict[str, int] = {}  # oldest change first
        self._gone: dict[str, Resource] = {}
        self._floor = 0  # clients brought to less than this, but to something, cannot be told what they miss
        self._parts: dict[tuple[int, Names, Form], Part] = {}
        db.observe(self.index_node)
        self._read_index()

    # -- who watches -----------------------------------------------------------------------------------------------

    def join(self, watch: Watch, names: Names) -> list[Node]:
        """Have the watch told of changes in these names; gives nodes that are observed from now on."""
        group = self.groups.get(names)
        bound: list[Node] = []
        if group is None:
            group = self.groups[names] = {}
            self._wildcards += names.wildcard
            self._wanted.update(names.explicit)
            wanted = self._index if names.wildcard else names.explicit
            bound = [node for name in wanted if name not in self._node_of for node in self._bind(name)]
            if bound:
                self._parts.clear()
        group[watch] = None
        return bound

    def leave(self, watch: Watch, names: Names) -> list[Node]:
        """Take ``join`` back; gives nodes that are observed no longer."""
        group = self.groups[names]
        del group[watch]
        if group:
            return []
        del self.groups[names]
        self._wildcards -= names.wildcard
        self._wanted.subtract(names.explicit)
        for name in names.explicit:
            if self._wanted[name] <= 0:
                del self._wanted[name]
        if self._wildcards:
            return []
        unwanted = [name for name in self._changed_at if name not in self._wanted]
        released = [node for name in unwanted for node in self._unbind(name)]
        for name in unwanted:
            self.resources.pop(name, None)
            self._gone.pop(name, None)
            del self._changed_at[name]
        self._parts.clear()
        return released

    def watchers(self, changed: frozenset[str]) -> Iterator[Watch]:
        """The watches that one of these names concerns."""
        for names, group in self.groups.items():
            if names.wildcard or not names.explicit.isdisjoint(changed):
                yield from group

    def watchers_of(self, node: Node) -> Iterator[Watch]:
        """The watches that a node concerns which this table observes."""
        if node is self.index_node:
            for group in self.groups.values():
                yield from group
        elif node in self._name_of:
            yield from self.watchers(frozenset({self._name_of[node]}))

    def node_of(self, name: str) -> Node | None:
        """Where a resource that somebody wants is rendered."""
        return self._node_of.get(name)

    def close(self) -> list[Node]:
        """Stop observing; gives the nodes that were observed."""
        self._db.unobserve(self.index_node)
        return [self.index_node, *(node for name in list(self._node_of) for node in self._unbind(name))]

    # -- keeping up with commits -----------------------------------------------------------------------------------

    def refresh(self, nodes: Collection[Node]) -> tuple[frozenset[str], list[Node], list[Node]]:
        """Bring up to date what the touched nodes may have changed.

        Returns:
            Names of resources that are different now, nodes observed from now on, and nodes observed no longer.
        """
        changed: set[str] = set()
        bound: list[Node] = []
        released: list[Node] = []
        if self.index_node in nodes:
            before = self._index
            self._read_index()
            moved = [] if self._index is before else _differences(before, self._index)
            # All go before any comes: a node may have moved from one name to another.
            released = [node for name in moved for node in self._unbind(name)]
            for name in moved:
                if name not in self._index:
                    self._take_away(name, changed)
                elif self._wildcards or name in self._wanted:
                    bound += self._bind(name, changed)
        for node in nodes:
            known = self._name_of.get(node)
            if known is not None:  # a name may be empty
                self._read(known, node, changed)
        if changed:
            self._advance(changed)
        return frozenset(changed), bound, released

    def _advance(self, changed: Iterable[str]) -> None:
        self.revision += 1
        self._parts.clear()
        for name in changed:
            self._changed_at.pop(name, None)
            self._changed_at[name] = self.revision
        if len(self._gone) > _GONE_KEPT + len(self.resources):
            self._forget_gone()

    def _forget_gone(self) -> None:
        """Let the older half of the removed names go; clients that have not heard of them must reconnect."""
        gone = [(at, name) for name, at in self._changed_at.items() if name in self._gone]
        for at, name in gone[: len(gone) // 2]:
            self._floor = at
            del self._changed_at[name]
            del self._gone[name]

    def _read_index(self) -> None:
        try:
            self._index = self._db.read(self.index_node)
        except Exception as error:  # noqa: BLE001 - the boundary of one table: it keeps its last good index
            self.failures["*"] = str(error)
        else:
            self.failures.pop("*", None)

    def _bind(self, name: str, changed: set[str] | None = None) -> list[Node]:
        """Start observing and read a resource; without ``changed`` it is new to this table but not to the mesh."""
        reference: ResourceRef | None = self._index.get(name)
        if reference is None:
            return []
        node = reference.query.node(self._db, reference.key)
        self._db.observe(node)
        self._node_of[name] = node
        self._name_of[node] = name
        found: set[str] = set()
        self._read(name, node, found)
        if changed is not None:
            changed |= found
        elif found:
            self._changed_at.pop(name, None)
            self._changed_at[name] = self.revision
        return [node]

    def _unbind(self, name: str) -> list[Node]:
        node = self._node_of.pop(name, None)
        if node is None:
            return []
        del self._name_of[node]
        self._db.unobserve(node)
        self.failures.pop(name, None)
        return [node]

    def _read(self, name: str, node: Node, changed: set[str]) -> None:
        try:
            resource: Resource = self._db.read(node)
        except Exception as error:  # noqa: BLE001 - one bad resource must not hold back another: its last good one stays
            self.failures[name] = str(error)
            return
        self.failures.pop(name, None)
        before = self.resources.get(name)
        if before is None or before.version != resource.version:
            self.resources[name] = resource
            self._gone.pop(name, None)
            changed.add(name)

    def _take_away(self, name: str, changed: set[str]) -> None:
        resource = self.resources.pop(name, None)
        if resource is not None:
            self._gone[name] = resource
            changed.add(name)

    # -- what a client is to be told -------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Whether the table lists the name, wanted by somebody or not."""
        return name in self._index

    def present(self, names: Names) -> Iterable[str]:
        """Names of present resources that are asked for."""
        if names.wildcard:
            return self.resources
        return [name for name in names.explicit if name in self.resources]

    def changed_since(self, revision: int) -> list[str]:
        """Names whose resource appeared, changed or went after a revision, latest first; from 0, all present.

        Raises:
            FellBehindError: removals between then and now have been forgotten.
        """
        if revision == 0:
            return list(self.resources)
        if revision < self._floor:
            raise FellBehindError(
                f"a client of {self.key.type_url} was last told of revision {revision}, "
                f"and removals before {self._floor} are forgotten; it has to connect anew"
            )
        found: list[str] = []
        for name, at in reversed(self._changed_at.items()):
            if at <= revision:
                break
            found.append(name)
        return found

    def held(self, revision: int) -> Iterator[tuple[str, str | None]]:
        """Everything a client brought to a revision may hold: names with versions, None where it changed since."""
        changed = set(self.changed_since(revision)) if revision else set(self.resources)
        for name in changed:
            yield name, None
        for name, resource in self.resources.items():
            if name not in changed:
                yield name, resource.version

    def last_of(self, name: str) -> Resource | None:
        """The resource, or the last one of that name if it is gone."""
        return self.resources.get(name) or self._gone.get(name)

    def part(self, since: int, names: Names, form: Form) -> Part:
        """What to tell a client that holds what was sent up to ``since``; equal questions share one answer."""
        key = (since, names, form)
        part = self._parts.get(key)
        if part is None:
            part = self._build_part(since, names, form)
            # A part that one client alone asks for is not kept: a thousand workloads have inbound tables of their own.
            if len(self.groups.get(names, ())) > 1:
                if len(self._parts) >= _PARTS_KEPT:
                    del self._parts[next(iter(self._parts))]
                self._parts[key] = part
        return part

    def trim(self) -> None:
        """Drop memoised answers; they are built again when asked for."""
        self._parts.clear()

    def _build_part(self, since: int, names: Names, form: Form) -> Part:
        changed = self.changed_since(since) if since else self.present(names)
        sent: dict[str, str] = {}
        removed: list[str] = []
        pieces: list[bytes] = []
        for name in changed:
            resource = self.resources.get(name)
            if resource is None:
                removed.append(name)
            elif names.wants(name):
                sent[name] = resource.version
                pieces.append(frame(resource, form))
        missing = [name for name in names.explicit if name not in self.resources] if since == 0 else ()
        gone = frozenset(name for name in removed if names.wants(name))
        return Part(b"".join(pieces), frozenset(sent), gone, frozenset(missing), sent)
