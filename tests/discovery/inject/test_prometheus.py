"""One scrape for all."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from discovery.inject.errors import PodError
from discovery.inject.prometheus import SCRAPE_TARGETS, merge_prometheus, parse_targets

OURS = {"prometheus.io/path": "/stats/prometheus", "prometheus.io/port": "15020", "prometheus.io/scrape": "true"}


def merged(annotations: dict[str, str], *, enabled: bool = True) -> tuple[dict[str, str], Any]:
    """The annotations afterwards, and what the agent is told; a second time must change nothing."""
    pod: dict[str, Any] = {"metadata": {"annotations": annotations}, "spec": {"containers": [{"name": "istio-proxy"}]}}
    merge_prometheus(pod, enabled=enabled, status_port=15020)
    once = copy.deepcopy(pod)
    merge_prometheus(pod, enabled=enabled, status_port=15020)
    assert pod == once
    variables = pod["spec"]["containers"][0].get("env", [])
    return pod["metadata"]["annotations"], json.loads(variables[0]["value"]) if variables else None


@pytest.mark.parametrize(
    ("annotations", "after", "told"),
    [
        ({}, OURS, None),
        ({"a": "b"}, {"a": "b", **OURS}, None),
        (
            {"prometheus.io/port": "80", "prometheus.io/path": "/m", "prometheus.io/scrape": "true"},
            OURS,
            {"scrape": "true", "path": "/m", "port": "80"},
        ),
        ({"prometheus-io/port": "80"}, OURS, {"scrape": "", "path": "", "port": "80"}),
        ({"prometheus.io/scrape": "false"}, {"prometheus.io/scrape": "false"}, None),
        ({"prometheus.io.scrape": "false"}, {"prometheus.io.scrape": "false"}, None),
        ({"prometheus.io/port": "15020"}, {"prometheus.io/port": "15020"}, None),
        (
            {"prometheus.istio.io/merge-metrics": "false", "prometheus.io/port": "80"},
            {"prometheus.istio.io/merge-metrics": "false", "prometheus.io/port": "80"},
            None,
        ),
        (
            {SCRAPE_TARGETS: "80:/a,81", "prometheus.io/scrape": "true"},
            OURS,
            {
                "scrape": "true",
                "path": "/a",
                "port": "80",
                "targets": [{"port": "80", "path": "/a"}, {"port": "81", "path": "/metrics"}],
            },
        ),
    ],
)
def test_merging(annotations: dict[str, str], after: dict[str, str], told: Any) -> None:
    """The agent is told of the application's port and path, however they were spelt."""
    assert merged(annotations) == (after, told)


def test_the_mesh_may_have_it_off() -> None:
    """Unless the pod wants it."""
    assert merged({"prometheus.io/port": "80"}, enabled=False) == ({"prometheus.io/port": "80"}, None)
    annotations, told = merged({"prometheus.istio.io/merge-metrics": "true", "prometheus.io/port": "80"}, enabled=False)
    assert annotations["prometheus.io/port"] == "15020"
    assert told == {"scrape": "", "path": "", "port": "80"}


@pytest.mark.parametrize(
    ("text", "problem"), [("x", "want port:path"), ("0:/a", "want port:path"), ("15090", "belongs to the mesh")]
)
def test_targets_that_cannot_be_meant(text: str, problem: str) -> None:
    """Are told at once, not by an empty graph later."""
    with pytest.raises(PodError, match=problem):
        parse_targets(text, 15020)
