"""The objects and their history: what etcd is to the real server. Knows nothing of kinds or rules.

One counter numbers all writes, of all resources. Events are kept until they are compacted, so that a watch can start in
the past and a list can show a former state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from itertools import takewhile

import msgspec

from tests.kit.kube_api.kinds import ResourceId
from tests.kit.kube_api.objects import Json, Key, key_of, with_meta

__all__ = ["CompactedError", "Event", "EventType", "Store"]


class EventType(StrEnum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One write. `item` is the object after it, or its last state, numbered with the deletion, when it was deleted."""

    type: EventType
    resource: ResourceId
    version: int
    item: Json
    previous: Json | None = None


class CompactedError(LookupError):
    """The history does not reach back so far."""


class Store:
    """The state of the server. Everything happens in one thread, so every method is one transaction."""

    def __init__(self, first_version: int = 1) -> None:
        self.version = first_version
        self.compacted = first_version - 1
        self._objects: dict[ResourceId, dict[Key, Json]] = {}
        self._history: dict[ResourceId, list[Event]] = {}
        self._observers: list[Callable[[Event], None]] = []
        self._untold: deque[Event] = deque()

    def observe(self, observer: Callable[[Event], None]) -> None:
        """Call this after each write, in order."""
        self._observers.append(observer)

    def get(self, resource: ResourceId, key: Key) -> Json | None:
        """The object as it is now."""
        return self._objects.get(resource, {}).get(key)

    def all(self, resource: ResourceId) -> Mapping[Key, Json]:
        """All objects as they are now; not to be changed, and not to be kept across writes."""
        return self._objects.get(resource, {})

    def resources(self) -> Iterator[tuple[ResourceId, Mapping[Key, Json]]]:
        """All resources that have ever held an object."""
        yield from tuple(self._objects.items())

    def put(self, resource: ResourceId, item: Json) -> Json:
        """Write an object; it comes back numbered."""
        previous = self.get(resource, key_of(item))
        self.version += 1
        stored = with_meta(item, resourceVersion=str(self.version))
        self._objects.setdefault(resource, {})[key_of(item)] = stored
        kind = EventType.ADDED if previous is None else EventType.MODIFIED
        self._record(Event(type=kind, resource=resource, version=self.version, item=stored, previous=previous))
        return stored

    def remove(self, resource: ResourceId, key: Key) -> Json:
        """Take an object away; its last state, numbered with the deletion.

        Raises:
            KeyError: there is none.
        """
        previous = self._objects[resource].pop(key)
        self.version += 1
        last = with_meta(previous, resourceVersion=str(self.version))
        self._record(
            Event(type=EventType.DELETED, resource=resource, version=self.version, item=last, previous=previous)
        )
        return last

    def since(self, resource: ResourceId, version: int) -> list[Event]:
        """What happened after a version, oldest first.

        Raises:
            CompactedError: part of it is forgotten.
        """
        if version < self.compacted:
            raise CompactedError(version)
        newest_first = takewhile(lambda event: event.version > version, reversed(self._history.get(resource, [])))
        return list(newest_first)[::-1]

    def at(self, resource: ResourceId, version: int) -> Mapping[Key, Json]:
        """All objects as they were at a version.

        Raises:
            CompactedError: that is forgotten.
        """
        later = self.since(resource, version)
        if not later:
            return self.all(resource)
        objects = dict(self.all(resource))
        for event in reversed(later):
            if event.previous is None:
                objects.pop(key_of(event.item))
            else:
                objects[key_of(event.item)] = event.previous
        return objects

    def compact(self) -> None:
        """Forget all history: watches and lists can only start from now."""
        self.compacted = self.version
        self._history.clear()

    def _record(self, event: Event) -> None:
        self._history.setdefault(event.resource, []).append(event)
        self._untold.append(event)
        if len(self._untold) > 1:
            return  # an observer writes: everybody hears of it after what they are hearing now
        while self._untold:
            for observer in tuple(self._observers):
                observer(self._untold[0])
            self._untold.popleft()
