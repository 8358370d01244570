"""Functions on numbers."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.gotemplate.sprig.numbers import NUMBERS, whole


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("add", (1, "2", 3.9), 6),
        ("add1", (1,), 2),
        ("sub", (5, 2), 3),
        ("mul", (2, 3), 6),
        ("div", (7, 2), 3),
        ("div", (-7, 2), -3),
        ("mod", (7, 3), 1),
        ("mod", (-7, 3), -1),
        ("max", (1, 5, 3), 5),
        ("min", (4,), 4),
        ("int", ("12",), 12),
        ("int64", (True,), 1),
        ("float64", ("1.5",), 1.5),
        ("atoi", ("x",), 0),
        ("ceil", (1.2,), 2.0),
        ("floor", (1.8,), 1.0),
        ("round", (123.555, 2), 123.56),
        ("until", (3,), [0, 1, 2]),
        ("until", (-2,), [0, -1]),
        ("untilStep", (1, 7, 3), [1, 4]),
        ("seq", (3,), "1 2 3"),
        ("seq", (2, -2, -2), "2 0 -2"),
        ("seq", (3, 1), "3 2 1"),
        ("toDecimal", ("0777",), 511),
    ],
)
def test_numbers(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    """Each does what Sprig's does; what is no number is 0."""
    assert NUMBERS[name](*arguments) == expected


def test_whole_numbers_of_everything() -> None:
    """Texts in any base too."""
    values: list[Any] = ["0x10", "1.9", None, [], 2.5]
    assert [whole(value) for value in values] == [16, 1, 0, 0, 2]


def test_lists_are_bounded() -> None:
    """A template cannot fill the memory."""
    with pytest.raises(ValueError, match="more than"):
        NUMBERS["until"](10**9)
