"""Lists and watch events, as far as the layer of Kubernetes looks into them."""

from __future__ import annotations

import pytest

from discovery.kube.envelope import EventType, Meta, Name, read_event, read_page
from discovery.kube.errors import BadAnswerError, GoneError

OBJECT = b'{"kind":"Pod","metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"7","labels":{"x":"y"}}}'


def test_a_page_names_its_objects_and_the_next_page() -> None:
    """Metadata is read, the rest stays text."""
    page = read_page("LIST /x", b'{"metadata":{"resourceVersion":"9","continue":"t"},"items":[' + OBJECT + b"]}")
    ((meta, raw),) = page.items
    assert (page.resource_version, page.more) == ("9", "t")
    assert meta == Meta("a", "n", "u", "7", {"x": "y"})
    assert meta.key == Name("n", "a")
    assert bytes(raw) == OBJECT


def test_an_empty_list_may_be_null() -> None:
    """As Go writes it."""
    assert read_page("LIST /x", b'{"metadata":{"resourceVersion":"9"},"items":null}').items == ()


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_events_carry_their_object(kind: str) -> None:
    """Whatever happened to it."""
    event = read_event("WATCH /x", b'{"type":"' + kind.encode() + b'","object":' + OBJECT + b"}")
    assert (event.type, event.item.meta.name, bytes(event.item.raw)) == (EventType(kind), "a", OBJECT)


@pytest.mark.parametrize(
    ("annotations", "ends"), [("", False), (',"annotations":{"k8s.io/initial-events-end":"true"}', True)]
)
def test_bookmarks_move_on_and_may_end_the_initial_events(annotations: str, *, ends: bool) -> None:
    """They have no name."""
    text = f'{{"type":"BOOKMARK","object":{{"kind":"Pod","metadata":{{"resourceVersion":"12"{annotations}}}}}}}'
    event = read_event("WATCH /x", text.encode())
    assert (event.type, event.item.meta.resource_version, event.ends_initial) == (EventType.BOOKMARK, "12", ends)


def test_an_error_event_is_raised_as_what_it_stands_for() -> None:
    """The stream was accepted with 200; only the event says that the version is too old."""
    with pytest.raises(GoneError, match="WATCH /x: 410 Expired: too old"):
        read_event(
            "WATCH /x", b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}'
        )


@pytest.mark.parametrize(
    "text",
    [
        b"<html>",
        b'{"type":"ADDED"}',
        b'{"type":"NEW","object":{"metadata":{}}}',
        b'{"type":"ADDED","object":{}}',
        b"[]",
    ],
)
def test_what_is_no_event_says_so(text: bytes) -> None:
    """A proxy's page must not look like silence."""
    with pytest.raises(BadAnswerError, match="WATCH /x: want an event"):
        read_event("WATCH /x", text)
    with pytest.raises(BadAnswerError, match="LIST /x: want a list"):
        read_page("LIST /x", b'{"items":[{"metadata":3}]}')


def _deep(name: bytes, levels: int = 5000) -> bytes:
    value = b'{"a":' * levels + b"1" + b"}" * levels
    return b'{"metadata":{"name":"%s","managedFields":[%s]},"spec":{"a":["x"],"value":%s}}' % (name, value, value)


def test_an_object_that_is_nested_too_deeply_ends_neither_a_page_nor_a_watch() -> None:
    """Its metadata is read, and its neighbours; in the place of the deep value is a text, which no type takes."""
    event = read_event("WATCH /x", b'{"type":"ADDED","object":%s}' % _deep(b"a"))
    assert event.item.meta.name == "a"
    assert b'"spec":{"a":["x"],"value":"more than 500 levels of nesting"}' in bytes(event.item.raw)
    items = read_page("LIST /x", b'{"metadata":{},"items":[%s,%s]}' % (_deep(b"b"), OBJECT)).items
    assert [item.meta.name for item in items] == ["b", "a"]
    assert bytes(items[1].raw) == OBJECT


def test_brackets_without_an_end_are_no_answer() -> None:
    """Such as of a connection that was cut, or of somebody who is no API server."""
    deep = b"[" * 5000
    with pytest.raises(BadAnswerError, match="want a list"):
        read_page("LIST /x", b'{"items":' + deep)
    with pytest.raises(BadAnswerError, match="want an event"):
        read_event("WATCH /x", b'{"type":"ADDED","object":' + deep)
