"""CORS policies."""

from __future__ import annotations

from datetime import timedelta

from discovery.schema.virtual_service import CorsPolicy, StringMatch, UnmatchedPreflights
from discovery.translate.routes.cors import cors
from discovery.wire.envoy import RouteCorsPolicy


def built(policy: CorsPolicy) -> RouteCorsPolicy:
    return RouteCorsPolicy.FromString(cors(policy)["value"])


def test_policy() -> None:
    """Lists are joined, the age is in seconds, the policy is always enforced."""
    found = built(
        CorsPolicy(
            allow_origins=(StringMatch(prefix="https://"), StringMatch(regex=".*")),
            allow_methods=("GET", "POST"),
            allow_headers=("a", "b"),
            expose_headers=("c",),
            max_age=timedelta(hours=1),
            allow_credentials=False,
        )
    )
    assert [origin.prefix or origin.safe_regex.regex for origin in found.allow_origin_string_match] == [
        "https://",
        ".*",
    ]
    assert (found.allow_methods, found.allow_headers, found.expose_headers) == ("GET,POST", "a,b", "c")
    assert found.max_age == "3600"
    assert found.HasField("allow_credentials")
    assert found.filter_enabled.default_value.numerator == 100
    assert found.forward_not_matching_preflights.value


def test_deprecated_origins_are_exact() -> None:
    """``allowOrigin`` counts where ``allowOrigins`` is not written."""
    found = built(CorsPolicy(allow_origin=("https://a",), unmatched_preflights=UnmatchedPreflights.IGNORE))
    assert [origin.exact for origin in found.allow_origin_string_match] == ["https://a"]
    assert not found.HasField("allow_credentials")
    assert not found.forward_not_matching_preflights.value
