"""Functions that choose."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.gotemplate.sprig.choices import CHOICES
from discovery.inject.gotemplate.values import NO_VALUE, UNSET, Record


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("default", ("d", ""), "d"),
        ("default", ("d", UNSET), "d"),
        ("default", ("d", 0), "d"),
        ("default", ("d", "x"), "x"),
        ("default", ("d",), "d"),
        ("default", ("d", Record({})), "d"),
        ("empty", ([],), True),
        ("empty", ("a",), False),
        ("coalesce", ("", None, "b", "c"), "b"),
        ("coalesce", ("",), None),
        ("ternary", ("y", "n", True), "y"),
        ("ternary", ("y", "n", ""), "n"),
        ("kindOf", ({},), "map"),
        ("kindOf", (Record({}),), "map"),
        ("kindIs", ("string", "a"), True),
        ("typeOf", (True,), "bool"),
        ("deepEqual", ([1], [1]), True),
        ("all", (1, "a"), True),
        ("any", (0, ""), False),
        ("required", ("m", "v"), "v"),
    ],
)
def test_choices(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    """Each does what Sprig's does."""
    assert CHOICES[name](*arguments) == expected


@pytest.mark.parametrize(
    ("name", "arguments"), [("fail", ("stop",)), ("required", ("stop", "")), ("required", ("stop", NO_VALUE))]
)
def test_giving_up(name: str, arguments: tuple[Any, ...]) -> None:
    """With the author's words."""
    with pytest.raises(ValueError, match="stop"):
        CHOICES[name](*arguments)
