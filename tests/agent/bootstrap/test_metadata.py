from __future__ import annotations

from typing import Any

import pytest

from agent.bootstrap.metadata import MetadataError, collect_raw, typed


def test_sources_are_laid_over_each_other() -> None:
    """proxyMetadata, then the environment, then JSON members, flat."""
    result = collect_raw(
        {"ISTIO_META_B": "env", "ISTIO_META_C": "env", "ISTIO_METAJSON_X": '{"C": "json", "N": 1}', "OTHER": "x"},
        {"ISTIO_META_A": "config", "ISTIO_META_B": "config", "PLAIN": "x"},
    )
    assert result.values == {"A": "config", "B": "env", "C": "json", "N": 1}
    assert result.warnings == ()


def test_json_labels_become_labels() -> None:
    """That one variable also gives LABELS and STATIC_LABELS."""
    values = collect_raw({"ISTIO_METAJSON_LABELS": '{"app": "web"}'}, {}).values
    assert values == {"app": "web", "LABELS": {"app": "web"}, "STATIC_LABELS": {"app": "web"}}


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', ""])
def test_bad_json_is_skipped_and_told(text: str) -> None:
    """A variable that is no JSON object stops nothing."""
    result = collect_raw({"ISTIO_METAJSON_X": text}, {})
    assert result.values == {}
    assert "ISTIO_METAJSON_X is skipped" in result.warnings[0]


@pytest.mark.parametrize(
    ("key", "value", "form"),
    [
        ("DNS_CAPTURE", "1", "true"),
        ("DNS_CAPTURE", True, "true"),
        ("ENVOY_STATUS_PORT", "15021", 15021),
        ("INSTANCE_IPS", ["a", "b"], "a,b"),
        ("APP_CONTAINERS", "a,b", "a,b"),
        ("LABELS", {"b": 1, "a": "x"}, {"a": "x", "b": "1"}),
        ("NAME", 5, "5"),
        ("UNKNOWN", {"any": [1]}, {"any": [1]}),
        ("UNKNOWN", "", ""),
    ],
)
def test_typed_keys_have_their_form(key: str, value: Any, form: Any) -> None:
    """Flags are texts, lists of names one text, numbers numbers; unknown keys stay as they are."""
    assert typed({key: value}) == {key: form}


@pytest.mark.parametrize(
    ("key", "value"),
    [("DNS_CAPTURE", "false"), ("NAME", ""), ("LABELS", {}), ("ENVOY_STATUS_PORT", 0), ("PILOT_SAN", [])],
)
def test_empty_values_are_left_out(key: str, value: Any) -> None:
    """False, nothing and zero are not said."""
    assert typed({key: value}) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [("DNS_CAPTURE", "yes"), ("ENVOY_STATUS_PORT", "x"), ("LABELS", "a"), ("PILOT_SAN", "a"), ("NAME", [1])],
)
def test_a_wrong_type_is_fatal(key: str, value: Any) -> None:
    """The control plane would read nonsense from it, so the agent does not start."""
    with pytest.raises(MetadataError, match=f"node metadata {key}: "):
        typed({key: value})
