from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors

TARGET = [{"destination": {"host": "a"}}]


def _paths(route: dict[str, Any], **spec: Any) -> list[str]:
    found = errors("VirtualService", {"hosts": ["a"], "http": [{"route": TARGET, **route}], **spec})
    return [path.removeprefix("http[0].") for path in found]


@pytest.mark.parametrize(
    ("match", "where"),
    [
        ({"headers": {"x-a": {"exact": "b"}, ":path": {"prefix": "/"}}}, []),
        ({"headers": {"x a": {"exact": "b"}}}, ["match[0].headers"]),
        ({"withoutHeaders": {"": {"exact": "b"}}}, ["match[0].withoutHeaders"]),
        ({"queryParams": {"a b": {"exact": "b"}}}, []),
        ({"queryParams": {"a" * 1025: {"exact": "b"}}}, ["match[0].queryParams"]),
        ({"uri": {"prefix": ""}}, []),
        ({"uri": {"regex": "(a"}}, ["match[0].uri.regex"]),
        ({"method": {"prefix": ""}}, ["match[0].method.prefix"]),
        ({"headers": {"x-a": {"prefix": ""}}}, ["match[0].headers['x-a'].prefix"]),
        ({"queryParams": {"a": {"regex": ""}}}, ["match[0].queryParams['a'].regex"]),
        ({"sourceLabels": {"a b": "c"}}, ["match[0].sourceLabels"]),
        ({"port": 70000}, ["match[0].port"]),
    ],
)
def test_conditions(match: dict[str, Any], where: list[str]) -> None:
    """Names of headers are names, patterns are patterns."""
    assert _paths({"match": [match]}) == where


def test_claims_are_for_gateways() -> None:
    """Only there a token has been checked before the routes are looked at."""
    claim = [{"headers": {"@request.auth.claims.group": {"exact": "a"}}}]
    assert _paths({"match": claim}) == ["match[0].headers"]
    assert _paths({"match": claim}, gateways=["mesh"]) == ["match[0].headers"]
    assert _paths({"match": claim}, gateways=["g"]) == []
    assert _paths({"match": [{"headers": {"@request.auth.claims": {"exact": "a"}}}]}, gateways=["g"]) == [
        "match[0].headers"
    ]


@pytest.mark.parametrize(
    ("headers", "where"),
    [
        ({"request": {"set": {"x-a": "b", ":authority": "c"}, "remove": ["x-b"]}}, []),
        ({"request": {"set": {"Host": "a"}}}, ["headers.request.set"]),
        ({"request": {"add": {":path": "a"}}}, ["headers.request.add"]),
        ({"request": {"remove": [":authority"]}}, ["headers.request.remove"]),
        ({"response": {"set": {":authority": "a"}}}, ["headers.response.set"]),
        ({"response": {"add": {"a b": "c"}}}, ["headers.response.add"]),
        ({"request": {"set": {":authority": "a"}, "add": {":authority": "b"}}}, ["headers.request"]),
    ],
)
def test_changes_of_headers(headers: dict[str, Any], where: list[str]) -> None:
    """What makes a request what it is cannot be changed but for its authority, once."""
    assert _paths({"headers": headers}) == where


def test_the_authority_is_set_once() -> None:
    """By the rewrite, or by a header."""
    headers = {"request": {"set": {":authority": "a"}}}
    assert _paths({"headers": headers, "rewrite": {"authority": "b"}}) == ["headers.request"]
    assert _paths({"headers": headers, "rewrite": {"uri": "/"}}) == []


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("plain", True), ("100%%", True), ("%REQ(x-id):20%", True), ("%START_TIME(%Y/%m/%d)%-%PROTOCOL%", True),
        ("%DYNAMIC_METADATA(a:b)%", True), ("", True), ("x" * 16_384, True),
        ("100%", False), ("%", False), ("%REQ(x", False), ("%req%", False), ("a\nb", False), ("a\0", False),
        ("x" * 16_385, False),
    ],
)  # fmt: skip
def test_values_of_headers_are_what_envoy_takes(value: str, *, good: bool) -> None:
    """For a value that it cannot read, it refuses all routes of the port, also those of others."""
    assert (_paths({"headers": {"request": {"set": {"x-a": value}}}}) == []) is good
    assert (_paths({"headers": {"response": {"add": {"x-a": value}}}}) == []) is good
