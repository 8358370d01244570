"""Which pods are replicas."""

from __future__ import annotations

import json
from typing import Any

import pytest

from discovery.replicas.pods import ReplicaPod, decode_pod, replicas_of

READY = [{"type": "Ready", "status": "True"}]
UNREADY = [{"type": "Ready", "status": "False"}]


def pod(**status: Any) -> bytes:
    return json.dumps({"metadata": {"name": "istiod-1"}, "status": status}).encode()


@pytest.mark.parametrize(
    ("status", "replica"),
    [
        (
            {"podIP": "10.0.0.1", "phase": "Running", "conditions": READY},
            ReplicaPod("istiod-1", "10.0.0.1", ready=True),
        ),
        ({"podIP": "10.0.0.1", "phase": "Running"}, ReplicaPod("istiod-1", "10.0.0.1", ready=False)),
        ({"podIP": "fd00::1", "conditions": UNREADY}, ReplicaPod("istiod-1", "fd00::1", ready=False)),
        ({"phase": "Pending"}, None),
        ({"podIP": "10.0.0.1", "phase": "Failed"}, None),
        ({"podIP": "10.0.0.1", "phase": "Succeeded", "conditions": READY}, None),
    ],
)
def test_pod_is_read(status: dict[str, Any], replica: ReplicaPod | None) -> None:
    """One without an address, or that has ended, serves nobody."""
    assert decode_pod(pod(**status)) == replica


@pytest.mark.parametrize(("revision", "written"), [("", "default"), ("canary", "canary")])
def test_replicas_are_of_one_revision(revision: str, written: str) -> None:
    """Another one writes its own conditions."""
    chosen = replicas_of("istio-system", revision)
    assert (chosen.namespace, chosen.labels) == ("istio-system", f"app=istiod,istio.io/rev={written}")
