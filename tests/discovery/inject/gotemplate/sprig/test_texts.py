"""Functions on texts."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.gotemplate.sprig.texts import TEXTS, indent, nothing
from discovery.inject.gotemplate.values import NO_VALUE, UNSET


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("abbrev", (5, "abcdefgh"), "ab..."),
        ("camelcase", ("http_server",), "HttpServer"),
        ("cat", ("a", None, 1), "a 1"),
        ("contains", ("b", "abc"), True),
        ("hasPrefix", ("a", "abc"), True),
        ("hasSuffix", ("a", "abc"), False),
        ("indent", (2, "a\nb"), "  a\n  b"),
        ("nindent", (2, "a"), "\n  a"),
        ("kebabcase", ("FirstName",), "first-name"),
        ("snakecase", ("FirstName",), "first_name"),
        ("lower", ("A",), "a"),
        ("upper", ("a",), "A"),
        ("nospace", (" a b ",), "ab"),
        ("quote", ("a", 1, None), '"a" "1"'),
        ("squote", ("a",), "'a'"),
        ("repeat", (3, "a"), "aaa"),
        ("replace", ("a", "b", "aXa"), "bXb"),
        ("split", ("$", "a$b"), {"_0": "a", "_1": "b"}),
        ("splitList", (",", "a,b"), ["a", "b"]),
        ("splitn", (",", 2, "a,b,c"), {"_0": "a", "_1": "b,c"}),
        ("substr", (1, 3, "abcd"), "bc"),
        ("substr", (1, -1, "abcd"), "bcd"),
        ("title", ("a bc",), "A Bc"),
        ("untitle", ("A Bc",), "a bc"),
        ("swapcase", ("aB",), "Ab"),
        ("toString", (1,), "1"),
        ("trim", (" a ",), "a"),
        ("trimAll", ("$", "$a$"), "a"),
        ("trimPrefix", ("a", "ab"), "b"),
        ("trimSuffix", ("-", "a-"), "a"),
        ("trunc", (2, "abc"), "ab"),
        ("trunc", (-2, "abc"), "bc"),
        ("trunc", (5, "abc"), "abc"),
    ],
)
def test_texts(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    """Each does what Sprig's does."""
    assert TEXTS[name](*arguments) == expected


def test_nothing_and_indent() -> None:
    """The two that others use."""
    assert [nothing(value) for value in (None, NO_VALUE, UNSET, "", 0)] == [True, True, True, False, False]
    assert indent(1, "a") == " a"


def test_repeat_is_bounded() -> None:
    """A template cannot fill the memory."""
    with pytest.raises(ValueError, match="more than"):
        TEXTS["repeat"](10**9, "x")
