"""The functions of injection templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from discovery.inject.functions import FUNCTION_NAMES, functions
from discovery.inject.gotemplate import NO_VALUE, UNSET, Record, StringMap
from discovery.inject.gotemplate.sprig import SPRIG

KNOWN = functions({"HOME": "/root", "EMPTY": ""}, lambda text: f"<{text}>")
META = Record({"annotations": {"a": "1"}})
CONTAINERS = [
    Record({"name": "app", "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}]}),
    Record({"name": "istio-proxy", "ports": [{"containerPort": 15090}]}),
]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("annotation", (META, "a", 2), "1"),
        ("annotation", (META, "b", 2), "2"),
        ("annotation", (Record({}), "b", UNSET), ""),
        ("valueOrDefault", ("", "d"), "d"),
        ("valueOrDefault", (NO_VALUE, "d"), "d"),
        ("valueOrDefault", (False, "d"), False),
        ("valueOrDefault", (0, "d"), 0),
        ("excludeInboundPort", (15020, "1, 2"), "1,2,15020"),
        ("excludeInboundPort", ("15020", "1,15020"), "1,15020"),
        ("excludeInboundPort", (0, "1"), "1"),
        ("excludeInboundPort", ("", ""), ""),
        ("includeInboundPorts", (CONTAINERS,), "80,15090"),
        ("applicationPorts", (CONTAINERS,), "80"),
        ("indent", (2, "a\nb"), "a\n  b"),
        ("toYaml", ({"b": 1, "a": ["yes"]},), "a:\n- 'yes'\nb: 1\n"),
        ("toJSON", (UNSET,), "{}"),
        ("structToJSON", (Record({"b": 1, "a": None}),), '{"a":null,"b":1}'),
        ("fromJSON", ('{"a":1}',), {"a": 1}),
        ("isset", (StringMap({"a": ""}), "a"), True),
        ("isset", (UNSET, "a"), False),
        ("directory", ("/a/b/c.pem",), "/a/b/"),
        ("directory", ("c.pem",), ""),
        ("formatDuration", ("45s",), "45s"),
        ("formatDuration", ("90s",), "1m30s"),
        ("formatDuration", ("3601.5s",), "1h0m1.5s"),
        ("appendMultusNetwork", ("", "default/istio-cni"), "default/istio-cni"),
        ("appendMultusNetwork", ("a", "istio-cni"), "a, istio-cni"),
        ("appendMultusNetwork", ("a, istio-cni", "istio-cni"), "a, istio-cni"),
        ("appendMultusNetwork", ('[{"name": "a"}]', "d/n"), '[{"name": "a"}, {"name": "n", "namespace": "d"}]'),
        ("appendMultusNetwork", ('[{"name": "n"}]', "d/n"), '[{"name": "n"}]'),
        ("mergeMaps", ({"a": 1}, {"a": 2, "b": 3}), {"a": 2, "b": 3}),
        ("omitNil", ({"a": None, "b": 1},), {"b": 1}),
        ("toYamlMap", ({"a": 1}, {"b": 2}), "a: 1\nb: 2\n"),
        ("toLower", ("A",), "a"),
        ("contains", ("b", "abc"), True),
        ("env", ("HOME", "d"), "/root"),
        ("env", ("EMPTY", "d"), "d"),
        ("render", ("x",), "<x>"),
        ("protoToJSON", (UNSET,), "{}"),
        (
            "protoToJSON",
            (Record({"statusPort": 15020, "concurrency": 0, "proxyMetadata": {}, "meshId": "m"}),),
            '{"concurrency":0,"meshId":"m"}',
        ),
    ],
)
def test_functions(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    """Each does what Istio's does."""
    assert KNOWN[name](*arguments) == expected


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (
            {"labels": {"app.kubernetes.io/version": "v2"}},
            "service.namespace=ns,service.version=v2,service.instance.id=ns.$(POD_NAME).app",
        ),
        ({}, "service.namespace=ns,service.version=1.0,service.instance.id=ns.$(POD_NAME).app"),
        (
            {"namespace": "own", "annotations": {"resource.opentelemetry.io/service.name": "shop"}},
            "service.name=shop,service.namespace=own,service.version=1.0,service.instance.id=own.$(POD_NAME).app",
        ),
    ],
)
def test_attributes_for_opentelemetry(metadata: dict[str, Any], expected: str) -> None:
    """By its conventions for Kubernetes: annotations first, then labels, then what is known anyway."""
    spec = Record({"containers": [{"name": "istio-proxy"}, {"name": "app", "image": "host:5000/a/b:1.0@sha256:00"}]})
    assert KNOWN["otelResourceAttributes"](Record(metadata), Record({"namespace": "ns"}), spec) == expected


def test_opentelemetry_is_asked_for_by_a_provider() -> None:
    """Of the mesh's configuration."""
    provider = {"opentelemetry": {"serviceAttributeEnrichment": "OTEL_SEMANTIC_CONVENTIONS"}}
    assert KNOWN["otelAttributesWanted"](Record({"extensionProviders": [{"name": "x"}, provider]})) is True
    assert KNOWN["otelAttributesWanted"](Record({})) is False


def test_bad_json_is_told() -> None:
    """Istio writes a warning and goes on with nothing."""
    with pytest.raises(ValueError, match="no valid JSON"):
        KNOWN["fromJSON"]("{")


def test_reading_knows_the_same_names() -> None:
    """A template that was accepted finds all of its functions."""
    assert set(FUNCTION_NAMES) == set(KNOWN)
    with pytest.raises(ValueError, match="only while"):
        FUNCTION_NAMES["env"]("HOME")


def test_the_reference_page_names_each() -> None:
    """All that Sprig does not have, or has with another meaning."""
    page = (Path(__file__).parents[3] / "docs" / "reference" / "injection.md").read_text(encoding="utf-8")
    ours = {name for name, function in FUNCTION_NAMES.items() if SPRIG.get(name) is not function}
    assert {name for name in ours if f"`{name}`" not in page} == set()
