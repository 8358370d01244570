"""Rules of Telemetry."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors, warnings


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"accessLogging": [{"providers": [{"name": "envoy"}]}]}, []),
        ({"accessLogging": [{"providers": [{"name": ""}]}]}, ["accessLogging[0].providers[0].name"]),
        ({"tracing": [{"randomSamplingPercentage": 101}]}, ["tracing[0].randomSamplingPercentage"]),
        ({"tracing": [{"customTags": {"a": {"header": {"name": ""}}}}]}, ["tracing[0].customTags.a.header.name"]),
        (
            {"metrics": [{"overrides": [{"tagOverrides": {"": {"operation": "REMOVE"}}}]}]},
            ["metrics[0].overrides[0].tagOverrides"],
        ),
        (
            {"metrics": [{"overrides": [{"tagOverrides": {"a": {"operation": "UPSERT"}}}]}]},
            ["metrics[0].overrides[0].tagOverrides['a'].value"],
        ),
    ],
)
def test_names_and_values_are_there(spec: dict[str, Any], where: list[str]) -> None:
    """A provider, a header and an added tag need theirs."""
    assert errors("Telemetry", spec) == where


def test_only_the_first_tracing_counts() -> None:
    """The others are a warning."""
    assert warnings("Telemetry", {"tracing": [{}, {}]}) == ["tracing"]
