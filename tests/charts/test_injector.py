"""The injector's ConfigMap: what the chart writes is what `pilotctl kube-inject` makes of the same values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from discovery.inject.builtin import (
    TEMPLATE_NAMES,
    builtin_template,
    builtin_values,
    config_from_values,
    values_of_chart,
)
from discovery.inject.config import parse_config, parse_values
from tests.kit.helm import chart_path, one, render


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_templates_are_the_programs_own(name: str, *, update_goldens: bool) -> None:
    """Helm reads only what lies in the chart, so the chart has copies; `make goldens` renews them."""
    copy = chart_path("discovery") / "files" / f"{name}.yaml"
    if update_goldens:
        copy.write_text(builtin_template(name))
    assert copy.read_text() == builtin_template(name), "the chart's copy is old: make goldens"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"revision": "canary", "cni": {"enabled": True}, "env": {"ENABLE_NATIVE_SIDECARS": "true"}},
        {
            "sidecarInjectorWebhook": {
                "templates": {"hello": "metadata:\n  labels:\n    hello: {{ .Values.global.hub | quote }}\n"},
                "defaultTemplates": ["sidecar", "hello"],
                "neverInjectSelector": [{"matchExpressions": [{"key": "batch", "operator": "Exists"}]}],
                "injectedAnnotations": {"example.com/profile": "runtime/default"},
            },
            "global": {"proxy": {"autoInject": "disabled"}, "tag": "1.2.3"},
        },
    ],
    ids=["defaults", "revision", "everything"],
)
def test_configuration_and_values(values: dict[str, Any]) -> None:
    """Both keys hold what the injector's own reading of the chart's values gives."""
    name = "istio-sidecar-injector" + (f"-{values['revision']}" if "revision" in values else "")
    data = one(render("discovery", values), "ConfigMap", name)["data"]
    whole = _over(yaml.safe_load((chart_path("discovery") / "values.yaml").read_text()), values)
    whole["global"]["tag"] = whole["global"]["tag"] or "0.1.0"
    assert parse_values(data["values"], where="values") == values_of_chart(whole)
    assert parse_config(data["config"]) == config_from_values(whole)


def test_the_program_has_the_same_defaults() -> None:
    """Where both have a value it is the same one: a pod injected from files is the one that the webhook makes."""
    theirs = dict(
        _leaves(yaml.safe_load(one(render("discovery"), "ConfigMap", "istio-sidecar-injector")["data"]["values"]))
    )
    ours = dict(_leaves(builtin_values()))
    assert {path: ours[path] for path in ours.keys() & theirs} == {path: theirs[path] for path in ours.keys() & theirs}
    assert {("global", "hub"), ("global", "tag"), ("global", "proxy", "image")} <= ours.keys() & theirs.keys()


def _leaves(values: Any, *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from _leaves(value, *above, key)
    else:
        yield above, values


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _over(merged[key], value) if both else value
    return merged
