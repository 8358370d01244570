"""Answers in pieces are the same JSON as in one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from discovery.debug.json_stream import Rows, batch, render_json

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
data = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def as_rows(value: Any) -> Any:
    """The value with every list that dictionaries and lists alone lead to as rows."""
    if isinstance(value, list):
        return Rows(iter([as_rows(item) for item in value]))
    if isinstance(value, dict):
        return {key: as_rows(item) for key, item in value.items()}
    return value


@given(value=data, pretty=st.booleans())
def test_pieces_make_the_same_json(value: Any, pretty: bool) -> None:
    """Whatever is rows, and pretty or not, a parser reads the same data."""
    assert json.loads(b"".join(render_json(as_rows(value), pretty=pretty))) == value
    assert json.loads(b"".join(render_json(value, pretty=pretty))) == value


def test_pretty_is_indented() -> None:
    """Rows stand at the depth at which they are."""
    text = b"".join(render_json({"a": Rows([{"b": 1}]), "c": Rows([])}, pretty=True)).decode()
    assert text == '{\n  "a": [\n    {\n      "b": 1\n    }\n  ],\n  "c": []\n}\n'


def test_rows_are_made_when_they_are_needed() -> None:
    """A batch makes no more rows than it takes."""
    made: list[int] = []

    def rows() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    pieces = render_json(Rows(rows()), pretty=False)
    assert batch(pieces, size_bytes=10).startswith(b"[0,1,2")
    assert len(made) < 10


def test_a_batch_ends_when_there_is_enough() -> None:
    """The caller's patience counts as well as the size; the end is an empty batch."""
    pieces = iter([b"a", b"b", b"c"])
    assert batch(pieces, size_bytes=1000, enough=lambda: True) == b"a"
    assert batch(pieces, size_bytes=1000) == b"bc"
    assert batch(pieces, size_bytes=1000) == b""
