"""Regular expressions."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.gotemplate.sprig.regexes import REGEXES


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("regexMatch", ("^a+$", "aaa"), True),
        ("regexFind", ("[0-9]+", "ab12"), "12"),
        ("regexFind", ("x", "a"), ""),
        ("regexFindAll", ("[0-9]", "1a2b3", 2), ["1", "2"]),
        ("regexFindAll", ("[0-9]", "1a2", -1), ["1", "2"]),
        ("regexReplaceAll", ("a(x*)b", "-ab-axxb-", "${1}W$$"), "-W$-xxW$-"),
        ("regexReplaceAll", ("a", "a", "$9"), ""),
        ("regexReplaceAllLiteral", ("a", "aba", "${1}"), "${1}b${1}"),
        ("regexSplit", ("z+", "pizza", -1), ["pi", "a"]),
        ("regexSplit", ("a", "banana", 2), ["b", "nana"]),
        ("regexSplit", ("a", "b", 0), []),
        ("regexQuoteMeta", ("a.b",), "a\\.b"),
    ],
)
def test_regexes(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    """Each does what Sprig's does."""
    assert REGEXES[name](*arguments) == expected


def test_what_is_no_expression() -> None:
    """Is refused, with the reason."""
    with pytest.raises(ValueError, match="is no regular expression"):
        REGEXES["regexMatch"]("(", "a")
