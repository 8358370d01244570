"""Watches: which events a client gets, from when on, and how a watch ends. No I/O; the server writes what it is given.

Spec: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from tests.kit.kube_api.errors import StatusError, expired, invalid
from tests.kit.kube_api.kinds import Kind, ResourceId
from tests.kit.kube_api.objects import Json
from tests.kit.kube_api.selectors import Match
from tests.kit.kube_api.store import CompactedError, Event, EventType, Store
from tests.kit.kube_api.versions import parse_version

__all__ = ["End", "Watch", "Watches"]

_INITIAL_END: Final = "k8s.io/initial-events-end"
_BOUND: Final = 100_000
"""Events that a client may be behind; then it is cut off, as the real server does (with a smaller number)."""

Convert = Callable[[Json], Json]


class End(StrEnum):
    """How a watch ends."""

    CLEAN = "clean"
    ABORT = "abort"
    MID_OBJECT = "mid-object"


class Watch:
    """One client's watch of one resource: a queue of encoded lines, then perhaps an end.

    Bound: events beyond `_BOUND` unread ones end the watch.
    """

    def __init__(self, kind: Kind, match: Match, *, bookmarks: bool, convert: Convert) -> None:
        self.kind = kind
        self._match = match
        self.bookmarks = bookmarks
        self._convert = convert
        self.lines: asyncio.Queue[bytes | End] = asyncio.Queue()

    def offer(self, event: Event) -> None:
        """Queue the event if the client should see it, as what it is to the client's selection."""
        now = event.type is not EventType.DELETED and self._match(event.item)
        before = event.previous is not None and self._match(event.previous)
        if now:
            self._put(EventType.MODIFIED if before else EventType.ADDED, event.item)
        elif before:
            previous = event.previous or event.item
            last = {**previous, "metadata": {**previous["metadata"], "resourceVersion": str(event.version)}}
            self._put(EventType.DELETED, last)

    def start_with(self, items: Iterator[Json]) -> None:
        """Queue the present state as additions."""
        for item in items:
            if self._match(item):
                self._put(EventType.ADDED, item)

    def bookmark(self, version: int, annotations: Mapping[str, str] | None = None) -> None:
        """Queue a bookmark, if the client allowed them."""
        if not self.bookmarks:
            return
        metadata: Json = {"resourceVersion": str(version)}
        if annotations:
            metadata["annotations"] = dict(annotations)
        item = {"kind": self.kind.kind, "apiVersion": self.kind.api_version, "metadata": metadata}
        self._encode("BOOKMARK", self._convert(item))

    def fail(self, error: StatusError) -> None:
        """Queue an error event, which ends the watch."""
        self._encode("ERROR", error.status())
        self.end(End.CLEAN)

    def end(self, how: End) -> None:
        """End after what is queued."""
        self.lines.put_nowait(how)

    def _put(self, kind: EventType, item: Json) -> None:
        if self.lines.qsize() > _BOUND:
            self.end(End.CLEAN)
            return
        self._encode(kind, self._convert({**item, "kind": self.kind.kind, "apiVersion": self.kind.api_version}))

    def _encode(self, kind: str, item: Json) -> None:
        self.lines.put_nowait(msgspec.json.encode({"type": kind, "object": item}) + b"\n")


class Watches:
    """All open watches, fed by the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[ResourceId, list[Watch]] = {}
        store.observe(self._on_event)

    def __iter__(self) -> Iterator[Watch]:
        return iter([watch for watches in self._open.values() for watch in watches])

    def of(self, resource: ResourceId) -> list[Watch]:
        """The open watches of a resource."""
        return list(self._open.get(resource, ()))

    def open(self, kind: Kind, query: Mapping[str, str], match: Match, convert: Convert) -> Watch:
        """A new watch, with what is due to the client already queued. Close it when the client is gone.

        Raises:
            StatusError: 400 or 422, the query contradicts itself.
        """
        allowed = query.get("allowWatchBookmarks", "").lower() in ("true", "1")
        watch = Watch(kind, match, bookmarks=allowed, convert=convert)
        since = parse_version(query.get("resourceVersion", ""))
        initial = _initial_events(query, kind)
        if initial or (initial is None and since == 0):
            watch.start_with(iter([item for _, item in sorted(self._store.all(kind.resource).items())]))
            if initial:
                watch.bookmark(self._store.version, {_INITIAL_END: "true"})
        elif since:
            self._resume(watch, since)
        self._open.setdefault(kind.resource, []).append(watch)
        return watch

    def close(self, watch: Watch) -> None:
        """Forget a watch whose client is gone."""
        watches = self._open.get(watch.kind.resource, [])
        if watch in watches:
            watches.remove(watch)

    def bookmark(self) -> None:
        """Send a bookmark to everybody now, instead of once a minute."""
        for watch in self:
            self.bookmark_one(watch)

    def bookmark_one(self, watch: Watch) -> None:
        """Send a bookmark to one client."""
        watch.bookmark(self._store.version)

    def _resume(self, watch: Watch, since: int) -> None:
        try:
            missed = self._store.since(watch.kind.resource, since)
        except CompactedError:
            watch.fail(expired(f"too old resource version: {since} ({self._store.compacted})"))
            return
        for event in missed:
            watch.offer(event)

    def _on_event(self, event: Event) -> None:
        for watch in self._open.get(event.resource, ()):
            watch.offer(event)


def _initial_events(query: Mapping[str, str], kind: Kind) -> bool | None:
    """Whether the client wants the state first; None if it leaves that to the resource version."""
    text, match = query.get("sendInitialEvents", ""), query.get("resourceVersionMatch", "")
    if text and match != "NotOlderThan":
        why = "resourceVersionMatch must be NotOlderThan when sendInitialEvents is set"
        raise invalid("ListOptions", "meta.k8s.io", "", [("resourceVersionMatch", "FieldValueForbidden", why)])
    if match and not text:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        raise invalid("ListOptions", "meta.k8s.io", "", [("resourceVersionMatch", "FieldValueForbidden", why)])
    return text.lower() in ("true", "1") if text else None
