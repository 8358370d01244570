"""Encodings and checksums."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.gotemplate.sprig.encodings import ENCODINGS, to_json
from discovery.inject.gotemplate.values import Record


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("b64enc", ("a",), "YQ=="),
        ("b64dec", ("YQ==",), "a"),
        ("b32enc", ("a",), "ME======"),
        ("b32dec", ("ME======",), "a"),
        ("sha256sum", ("",), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("adler32sum", ("a",), "6422626"),
        ("fromJson", ('{"a":1}',), {"a": 1}),
        ("toPrettyJson", ({"b": 1},), '{\n  "b": 1\n}'),
    ],
)
def test_encodings(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    """Each does what Sprig's does."""
    assert ENCODINGS[name](*arguments) == expected


def test_sha512() -> None:
    """128 digits."""
    assert len(ENCODINGS["sha512sum"]("a")) == 128


def test_json_is_in_order() -> None:
    """Equal values give equal texts."""
    assert to_json(Record({"b": [1, None], "a": "é"})) == '{"a":"é","b":[1,null]}'
