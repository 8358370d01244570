from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from discovery.schema.bounds import Bounds


@pytest.mark.parametrize(
    ("bounded", "meta", "good", "bad", "want"),
    [
        (int, msgspec.Meta(ge=1, le=3), [1, 3], [0, 4], "a number from 1 to 3"),
        (int, msgspec.Meta(ge=1), [1, 99], [0], "a number of at least 1"),
        (float, msgspec.Meta(le=0.5), [0.5], [0.6], "a number of at most 0.5"),
        (str, msgspec.Meta(min_length=1), ["a"], [""], "a text of at least 1 characters"),
        (
            str,
            msgspec.Meta(max_length=2, pattern="^a"),
            ["ab"],
            ["abc", "b"],
            "a text of at most 2 characters that matches ^a",
        ),
        (str, msgspec.Meta(pattern="b"), ["abc"], ["ac"], "a text that matches b"),
        (tuple[str, ...], msgspec.Meta(max_length=1), [(), ("a",)], [("a", "b")], "a list of at most 1 entries"),
        (Mapping[str, str], msgspec.Meta(min_length=1), [{"a": "b"}], [{}], "an object of at least 1 entries"),
    ],
)
def test_bounds(bounded: Any, meta: msgspec.Meta, good: list[Any], bad: list[Any], want: str) -> None:
    """Limits are part of the range; a pattern is looked for, not matched against the whole."""
    bounds = Bounds(bounded, meta)
    assert bounds.want == want
    assert [value for value in good if not bounds.fit(value)] == []
    assert [value for value in bad if bounds.fit(value)] == []
