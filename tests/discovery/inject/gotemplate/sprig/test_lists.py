"""Functions on lists."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.gotemplate.sprig.lists import LISTS
from discovery.inject.gotemplate.values import UNSET


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("append", ([1], 2), [1, 2]),
        ("prepend", ([1], 2), [2, 1]),
        ("concat", ([1], [2, 3]), [1, 2, 3]),
        ("first", ([1, 2],), 1),
        ("first", ([],), None),
        ("last", ([1, 2],), 2),
        ("rest", ([1, 2],), [2]),
        ("initial", ([1, 2],), [1]),
        ("has", (2, [1, 2]), True),
        ("join", (",", ["a", None, 1]), "a,1"),
        ("join", (",", "a"), "a"),
        ("reverse", ([1, 2],), [2, 1]),
        ("uniq", ([1, 2, 1],), [1, 2]),
        ("without", ([1, 2, 3], 2), [1, 3]),
        ("compact", ([0, "a", ""],), ["a"]),
        ("sortAlpha", (["b", "a"],), ["a", "b"]),
        ("slice", ([1, 2, 3], 1, 2), [2]),
        ("slice", ([1, 2], 1), [2]),
        ("chunk", (2, [1, 2, 3]), [[1, 2], [3]]),
        ("list", (1, 2), [1, 2]),
        ("toStrings", ([1],), ["1"]),
        ("append", (UNSET, 1), [1]),
    ],
)
def test_lists(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    """Each does what Sprig's does."""
    assert LISTS[name](*arguments) == expected


def test_lists_are_not_changed() -> None:
    """They may be the pod's."""
    items = [1]
    LISTS["append"](items, 2)
    assert items == [1]


def test_what_is_no_list() -> None:
    """Is refused."""
    with pytest.raises(ValueError, match="want a list, got a text"):
        LISTS["first"]("abc")
