"""Functions of every template."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.gotemplate.builtins import BUILTINS, equal, index, length
from discovery.inject.gotemplate.values import NO_VALUE, UNSET, Record, StringMap


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (1, 1, True),
        (1, 1.0, True),
        ("a", "b", False),
        (UNSET, "", True),
        (UNSET, 0, True),
        (UNSET, "x", False),
        (None, None, True),
        (NO_VALUE, "", False),
        (NO_VALUE, None, True),
        (True, True, True),
    ],
)
def test_equal(left: Any, right: Any, expected: bool) -> None:
    """A field that was not written equals its zero; a key that is not there equals nothing."""
    assert equal(left, right) is expected


def test_values_of_two_kinds_are_not_compared() -> None:
    """Go says so too: `eq .Values.port "80"` is a mistake."""
    with pytest.raises(ValueError, match="a number '80' cannot be compared to a text '80'"):
        equal(80, "80")


@pytest.mark.parametrize(
    ("value", "keys", "expected"),
    [
        ([1, [2, 3]], (1, 0), 2),
        ({"a": {"b": 1}}, ("a", "b"), 1),
        (StringMap(), ("x",), ""),
        ({}, ("x",), NO_VALUE),
        (UNSET, ("x",), UNSET),
        (Record({"name": "n"}), ("Name",), "n"),
        ("abc", (1,), 98),
    ],
)
def test_index(value: Any, keys: tuple[Any, ...], expected: Any) -> None:
    """From the outside in."""
    assert index(value, *keys) == expected


@pytest.mark.parametrize(("value", "keys"), [([1], (1,)), ([1], ("a",)), (3, (0,)), ([1], (-1,))])
def test_index_outside_is_refused(value: Any, keys: tuple[Any, ...]) -> None:
    """Not the last item, as Python would have it."""
    with pytest.raises(ValueError, match=r"outside|want a number|cannot be indexed"):
        index(value, *keys)


@pytest.mark.parametrize(("value", "expected"), [("é", 2), ([1, 2], 2), ({}, 0), (UNSET, 0), (Record({"a": 1}), 1)])
def test_length(value: Any, expected: int) -> None:
    """Texts in bytes."""
    assert length(value) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("eq", (1, 2, 1), True),
        ("ne", ("a", "b"), True),
        ("lt", (1, 2), True),
        ("le", (2, 2), True),
        ("gt", (1, 2), False),
        ("ge", (UNSET, 0), True),
        ("not", ("",), True),
        ("print", ("a", 1, 2, "b"), "a1 2b"),
        ("println", ("a", 1), "a 1\n"),
        ("slice", ("abcd", 1, 3), "bc"),
        ("slice", ([1, 2, 3], 1), [2, 3]),
        ("html", ("<a&'\">",), "&lt;a&amp;&#39;&#34;&gt;"),
        ("js", ("'<",), "\\'\\u003C"),
        ("urlquery", ("a b&",), "a+b%26"),
    ],
)
def test_others(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    """Each does what Go's does."""
    assert BUILTINS[name](*arguments) == expected


@pytest.mark.parametrize(
    ("name", "arguments"), [("eq", (1,)), ("lt", (1, "a")), ("lt", ([], [])), ("slice", ("a", 5)), ("len", (1,))]
)
def test_wrong_arguments(name: str, arguments: tuple[Any, ...]) -> None:
    """Are refused."""
    with pytest.raises(ValueError, match=r"want|no order|no length"):
        BUILTINS[name](*arguments)
