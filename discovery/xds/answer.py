"""What to tell a client now, given what it was told before: decides only, changes nothing.

Most questions are asked by a thousand clients at once, so the ready-made parts of the tables answer them; whatever is
not so simple (other tables than before, names asked for again, versions the client reports) goes name by name. Both
ways give the same answer; a property test holds them to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from discovery.wire.protowire import bytes_field, string_field
from discovery.wire.resource import Resource
from discovery.xds.reports import Report
from discovery.xds.table import Part, Table, frame
from discovery.xds.variant import Variant
from discovery.xds.watch import Watch

__all__ = ["Answer", "Terms", "compose", "compose_by_name", "lookup"]

_NOTHING: frozenset[str] = frozenset()
# In place of a version: the client certainly does not hold the name, or holds it in a version unknown to us.
_ABSENT = "<absent>"
_UNKNOWN = "<unknown>"


class Terms(NamedTuple):
    """What, besides the watch, an answer depends on."""

    variant: Variant
    fallback: Callable[[str], Resource | None]  # for names asked for that no table has
    hold: bool  # whether what is gone must stay with the client for now


class Answer(NamedTuple):
    """What a response would carry; ``body`` are its framed resources and removals."""

    body: tuple[bytes, ...]  # pieces that many answers share; they are joined when they are written
    sent: tuple[frozenset[str], ...]
    removed: frozenset[str]
    lingering: dict[str, Resource | None]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not self.removed and not any(self.sent)


def lookup(tables: Iterable[Table], name: str) -> Resource | None:
    """The resource of a name; where two tables have it, the first one's."""
    for table in tables:
        resource = table.resources.get(name)
        if resource is not None:
            return resource
    return None


def compose(watch: Watch, terms: Terms) -> Answer:
    """The shortest answer that brings the client up to date."""
    parts = _parts(watch, terms)
    if parts is None:
        return compose_by_name(watch, terms)
    sent = tuple(part.sent for part in parts)
    removed = parts[0].removed if len(parts) == 1 else _NOTHING.union(*(part.removed for part in parts))
    lingering: dict[str, Resource | None] = {}
    if terms.hold and removed:
        lingering = {name: _last(watch, name) for name in removed}
        removed = _NOTHING
    if not terms.variant.complete(watch.type_url):
        body = [part.body for part in parts]
        if removed:
            body.append(terms.variant.removal(removed))
        return Answer(tuple(body), sent, removed, lingering)
    if not removed and not any(sent) and not watch.answer:
        return Answer((), sent, removed, lingering)
    complete = [table.part(0, watch.names, terms.variant.form) for table in watch.tables]
    if len(complete) != 1 and _overlap(watch.tables, complete):
        return compose_by_name(watch, terms)
    body = [part.body for part in complete]
    body += [frame(r, terms.variant.form) for r in lingering.values() if r is not None]
    return Answer(tuple(body), sent, removed, lingering)


def _last(watch: Watch, name: str) -> Resource | None:
    for table, _ in watch.held:
        resource = table.last_of(name)
        if resource is not None:
            return resource
    return None


def _parts(watch: Watch, terms: Terms) -> list[Part] | None:
    """The tables' ready-made answers, if together they are the answer."""
    if watch.resend or watch.demanded or watch.lingering or watch.forgotten:
        return None
    if watch.names.explicit and terms.variant.complete(watch.type_url):
        return None
    since = dict(watch.held)
    if any(table not in watch.tables for table in since):
        return None
    parts = [table.part(since.get(table, 0), watch.names, terms.variant.form) for table in watch.tables]
    if watch.names.explicit and (any(part.removed for part in parts) or _missing(parts, since)):
        return None  # names asked for may have a fallback
    if len(parts) != 1 and _overlap(watch.tables, parts):
        return None
    if watch.known is not None:
        if since or not _same_versions(watch.known, parts):
            return None
        return [part._replace(body=b"", sent=_NOTHING) for part in parts]
    return parts


def _same_versions(known: Report, parts: list[Part]) -> bool:
    """Whether a client that comes back holds exactly what it is to hold."""
    versions = [part.versions for part in parts if part.versions]
    if len(versions) == 1:
        return known.equals(versions[0])
    held = known.versions.items()
    return len(held) == sum(map(len, versions)) and all(part.items() <= held for part in versions)


def _missing(parts: list[Part], since: dict[Table, int]) -> bool:
    """Whether a first answer leaves names out: no table has them."""
    if since and all(since.values()):
        return False
    return not parts or bool(frozenset.intersection(*(part.missing for part in parts)))


def _overlap(tables: tuple[Table, ...], parts: list[Part]) -> bool:
    """Whether a name that an answer is about is in more than one table; then the first of them decides."""
    for at, part in enumerate(parts):
        for other, table in enumerate(tables):
            if other == at:
                continue
            about = part.sent | part.removed if part.removed else part.sent
            small, large = (about, table.resources) if len(about) < len(table.resources) else (table.resources, about)
            if any(name in large for name in small):
                return True
    return False


def compose_by_name(watch: Watch, terms: Terms) -> Answer:
    """The answer, name by name: what the client may hold against what it is to hold."""
    due: list[Resource] = []
    removed: set[str] = set()
    bodiless: list[str] = []
    lingering: dict[str, Resource | None] = {}
    for name, version in _may_hold(watch).items():
        resource = lookup(watch.tables, name)
        if resource is not None and watch.names.wants(name):
            if resource.version != version:
                due.append(resource)
        elif not watch.names.wants(name):
            continue  # the client forgot it when it unsubscribed
        elif terms.hold and name not in watch.resend and version != _ABSENT:
            lingering[name] = watch.lingering.get(name) or _last(watch, name)
        elif name in watch.demanded:
            bodiless.append(name)
        else:
            instead = terms.fallback(name) if name in watch.names.explicit else None
            if instead is None:
                removed.add(name)
            elif instead.version != version:
                due.append(instead)
    return _framed(watch, terms, due, frozenset(removed), bodiless, lingering)


def _may_hold(watch: Watch) -> dict[str, str]:
    """Names to look at, with the version that the client holds of them as far as we know."""
    about: dict[str, str] = {}
    held = dict(watch.held)
    for table in watch.tables:
        if not held.get(table):
            about.update((name, _ABSENT) for name in table.present(watch.names))
    if held.keys() != set(watch.tables):
        # No table may have a name: then what stands in for it is another one after a change of tables.
        stands_in = _UNKNOWN if held else _ABSENT
        about.update((name, stands_in) for name in watch.names.explicit if name not in about)
    seen: set[str] = set()
    for table, since in watch.held:
        if table in watch.tables:
            changed = table.changed_since(since) if since else ()
            about.update((name, _UNKNOWN) for name in changed)
            seen.update(changed)
            continue
        for name, version in table.held(since):
            # Of a name that several tables had, the client may hold the one or the other.
            about[name] = version if version is not None and name not in seen else _UNKNOWN
            seen.add(name)
    if watch.known is not None:
        about.update(watch.known.versions)
    about.update((name, _UNKNOWN) for name in watch.lingering)
    about.update((name, _UNKNOWN) for name in watch.resend)
    if watch.forgotten:
        present = (name for table in watch.tables for name in table.resources)
        about.update((name, _UNKNOWN) for name in present if name.rpartition("/")[0] in watch.forgotten)
    about.update((name, _UNKNOWN) for name in watch.demanded)
    return about


def _framed(
    watch: Watch,
    terms: Terms,
    due: list[Resource],
    removed: frozenset[str],
    bodiless: list[str],
    lingering: dict[str, Resource | None],
) -> Answer:
    variant = terms.variant
    sent = (frozenset([r.name for r in due] + bodiless),)
    if not variant.complete(watch.type_url):
        pieces = [frame(resource, variant.form) for resource in due]
        # A name without a resource tells Envoy that its paused request waits in vain.
        pieces += [bytes_field(2, string_field(3, name)) for name in bodiless]
        pieces.append(variant.removal(removed))
        return Answer(tuple(pieces), sent, removed, lingering)
    if not due and not removed and not watch.answer:
        return Answer((), sent, removed, lingering)
    everything: dict[str, Resource | None] = dict(lingering)
    for table in reversed(watch.tables):
        everything.update((name, table.resources[name]) for name in table.present(watch.names))
    everything.update((name, terms.fallback(name)) for name in watch.names.explicit if name not in everything)
    pieces = [frame(resource, variant.form) for resource in everything.values() if resource is not None]
    return Answer(tuple(pieces), sent, removed, lingering)
