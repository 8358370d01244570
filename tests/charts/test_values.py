"""The values of the charts and their schema: what is written wrong is refused before anything is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import helm_python as helm
import pytest
import yaml

from tests.kit.helm import CHARTS, chart_path, render


def _schema(chart: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((chart_path(chart) / "values.schema.json").read_text())
    return schema


def _paths(values: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield f"{above}{key}"
        if isinstance(value, dict):
            yield from _paths(value, f"{above}{key}.")


def _described(schema: Mapping[str, Any], whole: Mapping[str, Any], above: str = "") -> Iterator[str]:
    if "$ref" in schema:
        schema = whole["definitions"][schema["$ref"].rpartition("/")[2]]
    for key, inner in schema.get("properties", {}).items():
        yield f"{above}{key}"
        yield from _described(inner, whole, f"{above}{key}.")


@pytest.mark.parametrize("chart", CHARTS)
def test_every_value_is_in_the_schema(chart: str) -> None:
    """Each default is described; what lies in an open map (labels, environment) need not be."""
    schema = _schema(chart)
    described = set(_described(schema, schema))
    defaults = yaml.safe_load((chart_path(chart) / "values.yaml").read_text())
    open_maps = ("podAnnotations.", "resources.", "global.proxy.resources.", "meshConfig.")
    missing = {path for path in _paths(defaults) if path not in described and not path.startswith(open_maps)}
    assert missing == set()


@pytest.mark.parametrize(
    ("chart", "values", "told"),
    [
        ("discovery", {"replicaCuont": 2}, "replicaCuont"),
        ("discovery", {"replicaCount": "two"}, "replicaCount"),
        ("discovery", {"revision": "Not_A_Label"}, "revision"),
        ("discovery", {"resources": {"request": {}}}, "request"),
        ("discovery", {"global": {"proxy": {"autoInject": True}}}, "autoInject"),
        ("discovery", {"global": {"proxy": {"logLvel": "info"}}}, "logLvel"),
        ("discovery", {"keepaliveMaxServerConnectionAge": "30"}, "keepaliveMaxServerConnectionAge"),
        ("discovery", {"revision": "x", "revisionTags": ["y", "x"]}, 'revisionTags: "x" is the revision itself'),
        ("discovery", {"revisionTags": ["default"]}, "is the revision itself"),
        ("gateway", {"kind": "StatefulSet"}, "kind"),
        ("gateway", {"service": {"ports": [{"name": "x"}]}}, "port"),
        ("gateway", {"servcie": {}}, "servcie"),
        ("base", {"base": {"enableCRDs": True}}, "enableCRDs"),
    ],
)
def test_a_wrong_value_is_refused_by_name(chart: str, values: dict[str, Any], told: str) -> None:
    """Typos and wrong types stop the installation, and the message names the value."""
    with pytest.raises(helm.HelmError, match=told):
        render(chart, values)


@pytest.mark.parametrize(
    ("chart", "values"),
    [
        ("discovery", {"global": {"ourOwn": {"key": 1}}}),
        ("discovery", {"env": {"PILOT_DEBOUNCE_AFTER": "50ms", "PILOT_ENABLE_VHDS": False}}),
        ("discovery", {"rollingMaxSurge": 1, "memory": {"targetAverageUtilization": 80}}),
        ("gateway", {"podDisruptionBudget": {"minAvailable": 1}, "kind": "DaemonSet"}),
    ],
)
def test_other_ways_to_write_values_are_taken(chart: str, values: dict[str, Any]) -> None:
    """Numbers or percentages, values of parent charts under global, environment of any scalar type."""
    assert render(chart, values)
