from __future__ import annotations

from typing import Any

import pytest

from discovery.schema.findings import Severity, has_errors
from discovery.validation.admission import judge_admission

GOOD: dict[str, Any] = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "DestinationRule",
    "metadata": {"name": "a", "namespace": "shop"},
    "spec": {"host": "a"},
}


def test_a_good_object_is_let_through() -> None:
    """With a status too, and in a version that is newer than ours."""
    assert judge_admission(GOOD) == ()
    assert judge_admission({**GOOD, "apiVersion": "networking.istio.io/v9", "status": {}}) == ()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"spec": {"host": "a", "subset": []}}, "spec.subset"),
        ({"spec": {}}, "spec.host"),
        ({"spec": {"host": "a", "trafficPolicy": {}}}, "spec.trafficPolicy"),
        ({"specs": {}}, "specs"),
        ({"kind": "Deployment", "apiVersion": "apps/v1"}, "kind"),
        ({"kind": "Service", "apiVersion": "v1"}, "kind"),
        (
            {"metadata": {"name": "a", "annotations": {"internal.istio.io/parents": "b"}}},
            "metadata.annotations['internal.istio.io/parents']",
        ),
        (
            {"metadata": {"name": "a", "annotations": {"internal.istio.io/webhook-always-reject": ""}}},
            "metadata.annotations['internal.istio.io/webhook-always-reject']",
        ),
    ],
)
def test_what_is_refused(change: dict[str, Any], path: str) -> None:
    """A field that nobody reads, a rule that is broken, a kind that is not ours."""
    found = judge_admission({**GOOD, **change})
    assert [finding.path for finding in found] == [path]
    assert has_errors(found)


def test_warnings_stay_warnings() -> None:
    """What is only old is told, not refused."""
    policy = {"loadBalancer": {"consistentHash": {"useSourceIp": True, "minimumRingSize": 1}}}
    (finding,) = judge_admission({**GOOD, "spec": {"host": "a", "trafficPolicy": policy}})
    assert finding.severity is Severity.WARNING
    assert finding.object == "DestinationRule shop/a"


def test_objects_of_the_gateway_api_are_never_refused() -> None:
    """Their definition in the cluster decides, and may be newer than ours: what we cannot read is a warning."""
    route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "a"}}
    assert judge_admission({**route, "spec": {"hostnames": ["a"]}}) == ()
    found = judge_admission({**route, "spec": {"hostnames": "a", "novelty": {}}})
    assert [(finding.path, finding.severity) for finding in found] == [
        ("spec.hostnames", Severity.WARNING),
        ("spec.novelty", Severity.WARNING),
    ]
