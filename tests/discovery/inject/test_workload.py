"""What a pod belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.workload import Workload, workload_of


def owned(
    kind: str, name: str, *, api_version: str = "apps/v1", labels: dict[str, str] | None = None
) -> dict[str, Any]:
    """A pod that a controller made."""
    owner = {"apiVersion": api_version, "kind": kind, "name": name, "controller": True}
    return {"metadata": {"generateName": f"{name}-", "labels": labels or {}, "ownerReferences": [{}, owner]}}


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (owned("ReplicaSet", "web-7d9", labels={"pod-template-hash": "7d9"}), ("apps/v1", "Deployment", "web")),
        (owned("ReplicaSet", "web-7d9"), ("apps/v1", "ReplicaSet", "web-7d9")),
        (owned("ReplicaSet", "web-x", labels={"pod-template-hash": "7d9"}), ("apps/v1", "ReplicaSet", "web-x")),
        (
            owned("ReplicaSet", "web-7d9", labels={"rollouts-pod-template-hash": "7d9"}),
            ("argoproj.io/v1alpha1", "Rollout", "web"),
        ),
        (
            owned("ReplicationController", "web-1", api_version="v1", labels={"deploymentconfig": "web"}),
            ("apps.openshift.io/v1", "DeploymentConfig", "web"),
        ),
        (owned("Job", "nightly-28123456", api_version="batch/v1"), ("batch/v1", "CronJob", "nightly")),
        (owned("Job", "once", api_version="batch/v1"), ("batch/v1", "Job", "once")),
        (owned("StatefulSet", "db"), ("apps/v1", "StatefulSet", "db")),
        ({"metadata": {"name": "alone"}}, ("v1", "Pod", "alone")),
        ({"metadata": {"name": "alone", "generateName": "a-"}}, ("v1", "Pod", "alone")),
    ],
)
def test_the_object_that_a_person_wrote(pod: dict[str, Any], expected: tuple[str, str, str]) -> None:
    """What stands between it and the pod is left out."""
    found = workload_of(pod, namespace="shop")
    assert (found.api_version, found.kind, found.name) == expected
    assert found.namespace == "shop"


def test_a_pod_with_a_name_of_its_own_stands_for_itself() -> None:
    """A controller that adopted it did not make it."""
    pod = owned("ReplicaSet", "web-1")
    pod["metadata"] |= {"name": "mine", "generateName": ""}
    assert workload_of(pod, namespace="") == Workload(name="mine")
