"""``printf`` as Go has it."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.gotemplate.printf import quoted, sprintf


@pytest.mark.parametrize(
    ("form", "values", "expected"),
    [
        ("%s-%d", ("a", 7), "a-7"),
        ("%05d|%-5s|%5s|", (7, "a", "b"), "00007|a    |    b|"),
        ("%v %v", ({"a": 1}, True), "map[a:1] true"),
        ("%q %t", ('a"\n', False), '"a\\"\\n" false'),
        ("%.2f %x %X %o %b", (1.005, 255, "hi", 8, 5), "1.00 ff 6869 10 101"),
        ("100%%", (), "100%"),
        ("%*d %.3s", (4, 7, "abcdef"), "   7 abc"),
        ("%c%+d", (65, 3), "A+3"),
        ("%08b", (5,), "00000101"),
    ],
)
def test_verbs(form: str, values: tuple[Any, ...], expected: str) -> None:
    """Widths, flags and precisions too."""
    assert sprintf(form, *values) == expected


@pytest.mark.parametrize(
    ("form", "values", "problem"),
    [
        ("%s", (), "no value for %s"),
        ("a", (1,), "more values"),
        ("%d", ("a",), "wants a number"),
        ("%d", (1.5,), "wants a whole number"),
        ("%y", (1,), "not supported"),
        ("%99999d", (1,), "want at most"),
    ],
)
def test_what_does_not_fit_is_refused(form: str, values: tuple[Any, ...], problem: str) -> None:
    """Go prints its complaint into the pod; we stop."""
    with pytest.raises(ValueError, match=problem):
        sprintf(form, *values)


def test_quoted_texts_are_yaml_too() -> None:
    """Templates rely on it."""
    assert quoted('a"\\\t\x00é\u200b') == '"a\\"\\\\\\t\\x00é\\u200b"'
