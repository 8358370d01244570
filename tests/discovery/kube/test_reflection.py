"""What a reflector asks next."""

from __future__ import annotations

import pytest

from discovery.kube.errors import GoneError, InvalidError, TooManyRequestsError, UnreachableError, api_error
from discovery.kube.reflection import Mode, Reflection

GONE = GoneError("x", 410, "Expired", "")
INVALID = InvalidError("x", 422, "Invalid", "sendInitialEvents is forbidden")
CUT = UnreachableError("cut")


def reflection(*, streams: bool = False) -> Reflection:
    """With jitter that is none."""
    return Reflection(page=2, streams=streams, chance=lambda: 0.5)


def watching(version: str = "7") -> Reflection:
    """One that has listed everything."""
    made = reflection()
    made.next()
    made.listed(version, "")
    made.next()
    return made


def test_streams_where_served() -> None:
    """One request for all there is and all that follows; then a watch resumes."""
    made = reflection(streams=True)
    ask = made.next()
    assert (ask.mode, ask.starts) == (Mode.STREAM, True)
    assert ask.query == {
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "450",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
    }
    made.seen("3")
    made.streamed("9")
    made.seen("10")
    assert made.ended(lasted_s=400, events=2) == 0
    ask = made.next()
    assert (ask.mode, ask.starts, ask.query["resourceVersion"]) == (Mode.WATCH, False, "10")


def test_a_stream_that_breaks_before_all_is_there_begins_anew() -> None:
    """Half of the objects are no basis to watch from."""
    made = reflection(streams=True)
    made.next()
    made.seen("3")
    assert made.failed(CUT) == pytest.approx(0.1)
    assert (made.next().mode, made.version) == (Mode.STREAM, "")


def test_lists_where_streams_are_not_served() -> None:
    """Refused, or understood as a plain watch: both are found out once."""
    refused, ignored = reflection(streams=True), reflection(streams=True)
    refused.next()
    assert refused.failed(INVALID) == 0
    ignored.next()
    ignored.seen("3")
    assert ignored.ended(lasted_s=300, events=1) == 0
    for made in (refused, ignored):
        assert made.next().mode is Mode.LIST
        made.listed("7", "")
        made.failed(GONE)
        assert made.next().mode is Mode.LIST


def test_lists_page_by_page() -> None:
    """The watch begins at the version of the last page."""
    made = reflection()
    assert made.next() == (Mode.LIST, {"limit": "2"}, True)
    assert not made.listed("7", "token")
    assert made.next() == (Mode.LIST, {"limit": "2", "continue": "token"}, False)
    assert made.listed("7", "")
    assert made.next().query["resourceVersion"] == "7"


def test_a_page_token_that_is_too_old_ends_paging_once() -> None:
    """A list that takes longer than its snapshot is kept would never end in pages."""
    made = reflection()
    made.next()
    made.listed("7", "token")
    made.next()
    made.failed(GONE)
    assert made.next() == (Mode.LIST, {}, True)
    made.listed("9", "")
    made.failed(GONE)
    assert made.next() == (Mode.LIST, {"limit": "2"}, True)


def test_a_list_that_fails_is_begun_where_it_was() -> None:
    """The token stays good."""
    made = reflection()
    made.next()
    made.listed("7", "token")
    made.next()
    made.failed(CUT)
    assert made.next().query["continue"] == "token"


def test_a_cut_watch_is_resumed() -> None:
    """From the last event, bookmarks included, later and later while nothing comes."""
    made = watching()
    made.seen("8")
    delays = [made.failed(CUT) for _ in range(12)]
    assert delays[:4] == [pytest.approx(s) for s in (0.1, 0.2, 0.4, 0.8)]
    assert max(delays) <= 30
    assert made.next().query["resourceVersion"] == "8"
    made.seen("9")
    assert made.failed(CUT) == pytest.approx(0.1)


def test_a_version_that_is_too_old_is_a_new_look_at_once() -> None:
    """But not again and again without a pause."""
    made = watching()
    assert made.failed(GONE) == 0
    assert made.next().mode is Mode.LIST
    made.listed("9", "")
    made.next()
    assert made.failed(GONE) > 0
    made.next()
    made.listed("10", "")
    made.next()
    assert made.failed(GONE) > 0.15
    made.next()
    made.listed("11", "")
    made.next()
    made.seen("12")
    assert made.failed(GONE) == 0


def test_a_restored_api_server_is_looked_at_anew() -> None:
    """Its versions went back, so ours is in its future and no event would ever come."""
    made = watching("900")
    made.failed(api_error("x", 504, b'{"reason":"Timeout","message":"Too large resource version: 900, current: 7"}'))
    assert made.next().mode is Mode.LIST


def test_the_api_server_says_how_long_to_wait() -> None:
    """Retry-After counts when it is longer than our own delay."""
    assert watching().failed(TooManyRequestsError("x", 429, "", "", 5)) == 5
    assert watching().failed(TooManyRequestsError("x", 429, "", "", 0)) == pytest.approx(0.1)


def test_a_watch_that_ends_at_once_is_not_asked_for_without_pause() -> None:
    """Some proxy in between may end every stream."""
    made = watching()
    assert made.ended(lasted_s=0.01, events=0) == pytest.approx(0.1)
    assert made.ended(lasted_s=0.01, events=0) == pytest.approx(0.2)
    assert made.ended(lasted_s=300, events=0) == 0
    assert made.ended(lasted_s=0.01, events=1) == 0
