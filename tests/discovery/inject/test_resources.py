"""Whole documents."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from discovery.inject.documents import Json
from discovery.inject.errors import PodError
from discovery.inject.resources import inject_document, pod_template_path
from discovery.inject.workload import Workload

SEEN: list[tuple[Workload, str]] = []


def mark(pod: Json, workload: Workload, namespace: str) -> Json | None:
    """An injection that can be seen."""
    SEEN.append((workload, namespace))
    if "leave" in pod:
        return None
    if "refuse" in pod:
        raise PodError("no")
    return {**pod, "marked": True}


def document(api_version: str, kind: str, *path: str, **pod: Any) -> dict[str, Any]:
    """An object with a pod at a path."""
    inner: dict[str, Any] = {"spec": {}, **pod}
    for key in reversed(path):
        inner = {key: inner}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "n", "namespace": "ns"}, **inner}


TEMPLATE = ("spec", "template")


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("v1", "Pod", ()),
        ("v1", "ReplicationController", TEMPLATE),
        ("apps/v1", "Deployment", TEMPLATE),
        ("apps/v1beta1", "StatefulSet", TEMPLATE),
        ("apps/v1", "DaemonSet", TEMPLATE),
        ("apps/v1", "ReplicaSet", TEMPLATE),
        ("batch/v1", "Job", TEMPLATE),
        ("batch/v1", "CronJob", ("spec", "jobTemplate", "spec", "template")),
        ("apps.openshift.io/v1", "DeploymentConfig", TEMPLATE),
        ("v1", "DeploymentConfig", TEMPLATE),
        ("argoproj.io/v1alpha1", "Rollout", TEMPLATE),
    ],
)
def test_every_kind_with_a_pod(api_version: str, kind: str, path: tuple[str, ...]) -> None:
    """The pod is found and replaced where it stands; the given document stays as it was."""
    original = document(api_version, kind, *path)
    before = copy.deepcopy(original)
    done = inject_document(original, mark)
    assert pod_template_path(original) == path
    for key in path:
        done = done[key]
    assert done["marked"] is True
    assert original == before
    workload, namespace = SEEN.pop()
    assert (workload.api_version, workload.kind, workload.name, namespace) == (api_version, kind, "n", "ns")


def test_lists_are_done_item_by_item() -> None:
    """What has no pod passes unchanged, in its place."""
    service = {"apiVersion": "v1", "kind": "Service", "spec": {"template": {}}}
    items = [service, document("v1", "Pod"), document("v1", "Pod", leave=True)]
    done = inject_document({"apiVersion": "v1", "kind": "List", "items": items}, mark)["items"]
    assert done[0] is service
    assert done[1]["marked"] is True
    assert "marked" not in done[2]


@pytest.mark.parametrize("other", [None, 3, [], {"kind": "Pod"}, {"apiVersion": "example.com/v1", "kind": "Pod"}])
def test_unknown_documents_pass(other: Any) -> None:
    """Whatever they are."""
    assert inject_document(other, mark) == other


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (document("v1", "Pod", refuse=True), "Pod n: no"),
        ({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}}, "template is missing"),
        ({"apiVersion": "apps/v1", "kind": "Deployment", "spec": "x"}, "want an object"),
    ],
)
def test_errors_name_the_object(wrong: Any, problem: str) -> None:
    """A file has many."""
    with pytest.raises(PodError, match=problem):
        inject_document(wrong, mark)
