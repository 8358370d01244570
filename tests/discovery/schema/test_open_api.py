from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar

import msgspec
import pytest

from discovery.schema.message import Message, ProtoEnum, UInt64
from discovery.schema.open_api import object_schema
from tests.kit.structural_schema import complaints


class Colour(ProtoEnum):
    """A colour."""

    RED = "RED"


class Part(Message, frozen=True, kw_only=True):
    """A ``part``
    of the whole.

    Not told.
    """

    required = ("name",)

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=3, pattern="^a")] = ""
    from_: str = msgspec.field(name="from", default="")


class Whole(Message, frozen=True, kw_only=True):
    """The whole."""

    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = (("left", "right"),)

    left: bool | None = None
    right: int | None = None
    maybe: float | None = None
    parts: Annotated[tuple[Part, ...], msgspec.Meta(max_length=2)] = ()
    by_name: Mapping[str, Colour] = {}
    anything: Mapping[str, Any] = {}
    wait: timedelta | None = None
    size: UInt64 = 0
    jwks_uri: str = ""


SCHEMA = object_schema(Whole)


def test_names_and_descriptions_are_the_documents() -> None:
    """A field has the name that users write, a description is the docstring's first paragraph as plain text."""
    part = SCHEMA["properties"]["parts"]["items"]
    assert set(part["properties"]) == {"name", "from"}
    assert part["description"] == "A 'part' of the whole."
    assert part["required"] == ["name"]
    assert list(SCHEMA["properties"]) == sorted(SCHEMA["properties"])


def test_integers_fit_an_api_server() -> None:
    """A bound beyond int64 is left out; other bounds replace the format."""
    assert SCHEMA["properties"]["size"] == {"type": "integer", "minimum": 0}
    assert SCHEMA["properties"]["right"] == {"type": "integer", "format": "int32"}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"left": True, "parts": [{"name": "abc", "from": "x"}], "byName": {"a": "RED"}},
        {"anything": {"a": [{"b": None}]}, "wait": "1.5s", "maybe": None, "jwks_uri": "x"},
    ],
)
def test_good_objects_fit(value: dict[str, Any]) -> None:
    """What the struct reads without findings, the schema admits."""
    assert list(complaints(SCHEMA, value)) == []


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"left": True, "right": 1}, ": oneOf"),
        ({"right": None}, ".right: null"),
        ({"parts": [{}]}, ".parts[0]: name is required"),
        ({"parts": [{"name": "abcd"}]}, ".parts[0].name: maxLength 3"),
        ({"parts": [{"name": "b"}]}, ".parts[0].name: 'b' does not match ^a"),
        ({"parts": [{"name": "a"}] * 3}, ".parts: maxItems 2"),
        ({"byName": {"a": "BLUE"}}, ".byName.a: 'BLUE' is not of ['RED']"),
        ({"size": -1}, ".size: -1 is out of range"),
        ({"wait": 1}, ".wait: want string, got 1"),
        ({"other": 1}, ".other: would be pruned"),
    ],
)
def test_bad_objects_do_not(value: dict[str, Any], complaint: str) -> None:
    """Each rule of the types is a rule of the schema."""
    assert list(complaints(SCHEMA, value)) == [complaint]
