"""Matches of requests."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.schema.virtual_service import HTTPMatchRequest, StringMatch
from discovery.translate.routes.match import EVERYTHING, is_catch_all, operation_path, route_match, string_matcher

A = StringMatch(exact="a")
SENSITIVE = {"case_sensitive": {"value": True}}


@pytest.mark.parametrize(
    ("match", "built"),
    [
        (HTTPMatchRequest(), {"prefix": "/"}),
        (HTTPMatchRequest(uri=StringMatch(exact="/x")), {"path": "/x"}),
        (HTTPMatchRequest(uri=StringMatch(prefix="/x/")), {"prefix": "/x/"}),
        (HTTPMatchRequest(uri=StringMatch(prefix="")), {"prefix": ""}),
        (HTTPMatchRequest(uri=StringMatch(regex="/x.*")), {"safe_regex": {"regex": "/x.*"}}),
        (
            HTTPMatchRequest(query_params={"b": StringMatch(regex="*"), "a": A}),
            {
                "prefix": "/",
                "query_parameters": [
                    {"name": "a", "string_match": {"exact": "a"}},
                    {"name": "b", "present_match": True},
                ],
            },
        ),
        (
            HTTPMatchRequest(headers={"z": A, "a": StringMatch()}, without_headers={"m": A, "n": StringMatch()}),
            {
                "prefix": "/",
                "headers": [
                    {"name": "a", "present_match": True},
                    {
                        "name": "m",
                        "string_match": {"exact": "a"},
                        "invert_match": True,
                        "treat_missing_header_as_empty": True,
                    },
                    {"name": "n", "present_match": True, "invert_match": True},
                    {"name": "z", "string_match": {"exact": "a"}},
                ],
            },
        ),
        (
            HTTPMatchRequest(scheme=A, method=A, authority=A, headers={"z": A}),
            {
                "prefix": "/",
                "headers": [
                    {"name": name, "string_match": {"exact": "a"}} for name in ("z", ":method", ":authority", ":scheme")
                ],
            },
        ),
    ],
)
def test_route_match(match: HTTPMatchRequest, built: dict[str, Any]) -> None:
    """Each condition has its counterpart; headers come by name, those with a colon last."""
    assert route_match(match) == built | SENSITIVE


def test_no_match_is_everything() -> None:
    """A route without match takes all requests, and does not speak of case."""
    assert route_match(None) == EVERYTHING


def test_case_may_be_ignored() -> None:
    """``ignoreUriCase`` is always written out."""
    assert route_match(HTTPMatchRequest(ignore_uri_case=True))["case_sensitive"] == {"value": False}


@pytest.mark.parametrize(("prefix", "built"), [("/x", "/x"), ("/x/", "/x"), ("/", None)])
def test_prefixes_may_end_at_slashes(prefix: str, built: str | None) -> None:
    """The Gateway API's prefixes are whole path segments; ``/`` is everything in both."""
    found = route_match(HTTPMatchRequest(uri=StringMatch(prefix=prefix)), path_separated=True)
    assert found.get("path_separated_prefix") == built
    assert ("prefix" in found) is (built is None)


@pytest.mark.parametrize(
    ("header", "path"),
    [
        ("@request.auth.claims.sub", ["payload", "sub"]),
        ("@request.auth.claims.a.b", ["payload", "a", "b"]),
        ("@request.auth.claims[a.b][c]", ["payload", "a.b", "c"]),
    ],
)
def test_claims_are_matched_in_what_token_verification_left(header: str, path: list[str]) -> None:
    """A pseudo header that means a claim becomes a match on metadata: a string, or a list that has it."""
    (claim,) = route_match(HTTPMatchRequest(without_headers={header: A}))["dynamic_metadata"]
    assert [part["key"] for part in claim["path"]] == path
    value = {"string_match": {"exact": "a"}}
    assert claim["value"] == {"or_match": {"value_matchers": [value, {"list_match": {"one_of": value}}]}}
    assert claim["invert"] is True


@pytest.mark.parametrize(
    ("match", "catches"),
    [
        (None, True),
        (HTTPMatchRequest(), True),
        (HTTPMatchRequest(uri=StringMatch(regex=".*")), True),
        (HTTPMatchRequest(uri=StringMatch(prefix="/x")), False),
        (HTTPMatchRequest(headers={"a": A}), False),
        (HTTPMatchRequest(query_params={"a": A}), False),
        (HTTPMatchRequest(headers={"@request.auth.claims.sub": A}), False),
    ],
)
def test_catch_all(match: HTTPMatchRequest | None, *, catches: bool) -> None:
    """A match takes everything when neither its path nor anything else limits it."""
    assert is_catch_all(route_match(match)) is catches


@pytest.mark.parametrize(
    ("match", "path"),
    [
        (None, "/*"),
        (HTTPMatchRequest(uri=StringMatch(prefix="/x")), "/x*"),
        (HTTPMatchRequest(uri=StringMatch(exact="/x")), "/x"),
        (HTTPMatchRequest(uri=StringMatch(regex="/x.")), "/x."),
    ],
)
def test_operation_path(match: HTTPMatchRequest | None, path: str) -> None:
    """Traces name a route by its path."""
    assert operation_path(route_match(match)) == path


def test_an_empty_string_match_is_an_empty_string() -> None:
    """A match with nothing set, where presence cannot be asked for, wants the empty string."""
    assert string_matcher(StringMatch()) == {"exact": ""}
    assert string_matcher(StringMatch(prefix="")) == {"exact": ""}
