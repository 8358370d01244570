"""The outer layer of lists and watch events: enough of each object to tell which it is, the rest as raw text. Pure.

Spec: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple

import msgspec

from discovery.kube.errors import BadAnswerError, api_error
from discovery.kube.nesting import EVENT_LEVEL, PAGE_LEVEL, read_any_depth

__all__ = ["Event", "EventType", "Item", "ListPage", "Meta", "Name", "read_event", "read_page"]

_INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"


class Name(NamedTuple):
    """Which object of a collection; cluster-scoped ones have an empty namespace."""

    namespace: str
    name: str


class Meta(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The metadata that decides whether an object is for us and whether it is known already."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: Mapping[str, str] = {}

    @property
    def key(self) -> Name:
        """Its name in its collection."""
        return Name(self.namespace, self.name)


class Item(NamedTuple):
    """An object; ``raw`` is JSON text, perhaps a view of a larger one: decode it or drop it, do not keep it."""

    meta: Meta
    raw: bytes


class ListPage(NamedTuple):
    """One page of a list."""

    items: tuple[Item, ...]
    resource_version: str
    more: str  # the token of the next page, empty at the end


class EventType(StrEnum):
    """What a watch says of an object. ERROR is raised, never given."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


class Event(NamedTuple):
    """One event of a watch."""

    type: EventType
    item: Item
    ends_initial: bool = False  # a BOOKMARK that says: these were all objects there are


class _Object(msgspec.Struct, frozen=True, gc=False):
    metadata: Meta


class _ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    continue_token: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct, frozen=True):
    metadata: _ListMeta = _ListMeta()
    items: list[msgspec.Raw] | None = None  # Go writes null for none


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _BookmarkMeta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    annotations: Mapping[str, str] = {}


class _Bookmark(msgspec.Struct, frozen=True):
    metadata: _BookmarkMeta


_OBJECT: Final = msgspec.json.Decoder(_Object)
_LIST: Final = msgspec.json.Decoder(_List)
_EVENT: Final = msgspec.json.Decoder(_Event)
_BOOKMARK: Final = msgspec.json.Decoder(_Bookmark)


def read_page(asked: str, data: bytes) -> ListPage:
    """A page of a list.

    Raises:
        BadAnswerError: it is none.
    """
    try:
        page, items = read_any_depth(_page, data, level=PAGE_LEVEL)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadAnswerError(f"{asked}: want a list of objects: {error}") from error
    return ListPage(items, page.metadata.resource_version, page.metadata.continue_token)


def read_event(asked: str, line: bytes) -> Event:
    """An event of a watch.

    Raises:
        ApiError: it is an ERROR event; of the kind that its status stands for.
        BadAnswerError: it is no event that the API defines.
    """
    try:
        return read_any_depth(partial(_event, asked), line, level=EVENT_LEVEL)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise BadAnswerError(f"{asked}: want an event of a watch: {error}") from error


def _page(data: bytes) -> tuple[_List, tuple[Item, ...]]:
    page = _LIST.decode(data)
    return page, tuple(Item(_OBJECT.decode(raw).metadata, raw) for raw in page.items or ())


def _event(asked: str, line: bytes) -> Event:
    event = _EVENT.decode(line)
    if event.type == "ERROR":
        raise api_error(asked, 0, bytes(event.object))
    if event.type == EventType.BOOKMARK:
        found = _BOOKMARK.decode(event.object).metadata
        meta = Meta(resource_version=found.resource_version)
        ends = found.annotations.get(_INITIAL_EVENTS_END) == "true"
        return Event(EventType.BOOKMARK, Item(meta, event.object), ends)
    return Event(EventType(event.type), Item(_OBJECT.decode(event.object).metadata, event.object))
