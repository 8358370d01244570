"""Functions on maps."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.gotemplate.sprig.maps import MAPS, Dictionary, as_map
from discovery.inject.gotemplate.values import UNSET, Record


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("dict", ("a", 1, "b"), {"a": 1, "b": ""}),
        ("get", ({"a": 1}, "a"), 1),
        ("get", ({}, "a"), ""),
        ("hasKey", ({"a": 1}, "a"), True),
        ("set", ({"a": 1}, "b", 2), {"a": 1, "b": 2}),
        ("unset", ({"a": 1}, "a"), {}),
        ("keys", ({"b": 1, "a": 2}, {"c": 3}), ["a", "b", "c"]),
        ("values", ({"b": 1, "a": 2},), [2, 1]),
        ("pick", ({"a": 1, "b": 2}, "a", "z"), {"a": 1}),
        ("omit", ({"a": 1, "b": 2}, "a"), {"b": 2}),
        ("merge", ({"a": {"x": 1}}, {"a": {"x": 2, "y": 3}, "b": 4}), {"a": {"x": 1, "y": 3}, "b": 4}),
        ("mergeOverwrite", ({"a": 1}, {"a": 2, "b": 0}), {"a": 2, "b": 0}),
        ("dig", ("a", "b", "d", {"a": {"b": 1}}), 1),
        ("dig", ("a", "z", "d", {"a": {"b": 1}}), "d"),
        ("pluck", ("a", {"a": 1}, {}, {"a": 2}), [1, 2]),
        ("strdict", ("a", 1), {"a": "1"}),
        ("deepCopy", ({"a": [1]},), {"a": [1]}),
        ("hasKey", (Record({"a": 1}), "a"), True),
    ],
)
def test_maps(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    """Each does what Sprig's does."""
    assert MAPS[name](*arguments) == expected


def test_only_a_templates_own_maps_are_changed() -> None:
    """Others are shared; the template gets a changed copy."""
    shared, own = {"a": 1}, Dictionary(a=1)
    assert MAPS["set"](shared, "b", 2) == {"a": 1, "b": 2}
    assert MAPS["set"](own, "b", 2) is own
    assert MAPS["merge"](own, {"c": 3}) is own
    assert shared == {"a": 1}


def test_what_is_no_map() -> None:
    """Is refused; what is not there is empty."""
    assert as_map(UNSET) == {}
    with pytest.raises(ValueError, match="want a map, got a list"):
        as_map([1])
    with pytest.raises(ValueError, match="in pairs"):
        MAPS["strdict"]("a")
