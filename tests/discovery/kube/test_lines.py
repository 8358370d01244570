"""Streams cut into lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.kube.lines import LineError, Lines


@given(st.lists(st.binary(min_size=1).map(lambda b: b.replace(b"\n", b"x") + b"!")), st.data())
def test_lines_come_out_whole_however_they_arrive(wanted: list[bytes], data: st.DataObject) -> None:
    """Where the pieces are cut does not matter."""
    stream = b"".join(line + b"\n" for line in wanted)
    lines = Lines()
    found: list[bytes] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found.extend(lines.feed(stream[:size]))
        stream = stream[size:]
    lines.finish()
    assert found == wanted


def test_a_stream_cut_within_a_line_is_an_error() -> None:
    """Half an event is not an event, and its loss must not go unnoticed."""
    lines = Lines()
    assert list(lines.feed(b'{"a":1}\n{"b"')) == [b'{"a":1}']
    with pytest.raises(LineError, match="after 4 bytes"):
        lines.finish()


def test_a_line_without_end_is_an_error() -> None:
    """An answer must not fill our memory."""
    lines = Lines(limit=10)
    assert list(lines.feed(b"123456789\n")) == [b"123456789"]
    with pytest.raises(LineError, match="longer than 10"):
        list(lines.feed(b"12345678901"))


def test_empty_lines_are_left_out() -> None:
    """Some proxies keep connections alive with them."""
    lines = Lines()
    assert list(lines.feed(b"\n\r\n a\n\n")) == [b" a"]
    lines.finish()
