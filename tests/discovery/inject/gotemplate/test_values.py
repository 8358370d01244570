"""Values as templates see them."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.gotemplate.values import (
    NO_VALUE,
    UNSET,
    Record,
    Root,
    StringMap,
    field,
    kind_of,
    plain,
    show,
    truth,
)

POD = Record(
    {"hostIP": "1.2.3.4", "labels": {"a": "b"}, "containers": [{"name": "x"}], "mesh_id": "m", "nothing": None}
)


@pytest.mark.parametrize(
    ("value", "name", "expected"),
    [
        (POD, "HostIP", "1.2.3.4"),
        (POD, "GetHostIP", "1.2.3.4"),
        (POD, "MeshId", "m"),
        (POD, "Nothing", UNSET),
        (POD, "Missing", UNSET),
        (UNSET, "Further", UNSET),
        ({"a": 1}, "a", 1),
        ({"a": 1}, "b", NO_VALUE),
        (StringMap({"a": "1"}), "b", ""),
        (None, "a", NO_VALUE),
        (Root({"A": 1}), "A", 1),
        (3, "GetValue", 3),
        ("REDIRECT", "String", "REDIRECT"),
    ],
)
def test_fields(value: Any, name: str, expected: Any) -> None:
    """Go's names find JSON's, and what is not there is empty, not an error."""
    assert field(value, name) == expected


def test_members_of_a_record_are_records() -> None:
    """But maps of users' keys stay maps."""
    (container,) = field(POD, "Containers")
    assert field(container, "Name") == "x"
    assert isinstance(field(POD, "Labels"), StringMap)


@pytest.mark.parametrize(("value", "name"), [("text", "A"), (3, "A"), ([1], "A"), (Root({"A": 1}), "B")])
def test_what_has_no_fields_says_so(value: Any, name: str) -> None:
    """A typing error at the top is told, with what there is."""
    with pytest.raises(LookupError, match=r"has no field \.A|there is no \.B; there are A"):
        field(value, name)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a", "a"),
        (True, "true"),
        (None, "<nil>"),
        (NO_VALUE, "<no value>"),
        (UNSET, ""),
        (15020, "15020"),
        (1.0, "1"),
        (1.5, "1.5"),
        (1e21, "1e+21"),
        ([1, "a"], "[1 a]"),
        ({"b": 1, "a": [True]}, "map[a:[true] b:1]"),
        (Record({"a": 1}), "map[a:1]"),
    ],
)
def test_how_values_are_shown(value: Any, shown: str) -> None:
    """As Go prints them."""
    assert show(value) == shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", False), ("a", True), (0, False), ([], False), ({}, False), (None, False), (UNSET, False), (Record({}), True)],
)
def test_truth(value: Any, expected: bool) -> None:
    """Empty is false; a struct is true even if all of it is empty."""
    assert truth(value) is expected


def test_plain_data_of_values() -> None:
    """Records become their documents at any depth, absent values null."""
    assert plain({"a": [Record({"b": 1}), UNSET], "c": Root({"D": NO_VALUE})}) == {
        "a": [{"b": 1}, None],
        "c": {"D": None},
    }


def test_kinds_for_messages() -> None:
    """Each kind has words."""
    values: list[Any] = [True, 1, "a", [], None, {}]
    assert [kind_of(value).split()[-1] for value in values] == [
        "boolean",
        "number",
        "text",
        "list",
        "nothing",
        "object",
    ]
