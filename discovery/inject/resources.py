"""Whole documents as people write them: every object with a pod in it is injected, all others pass unchanged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from discovery.inject.documents import Json
from discovery.inject.errors import PodError
from discovery.inject.workload import Workload, workload_of

__all__ = ["InjectPod", "inject_document", "pod_template_path"]

InjectPod = Callable[[Json, Workload, str], Json | None]
"""From a pod, what it belongs to, and its namespace, to the pod with a proxy; None to leave it."""

_TEMPLATE: Final = ("spec", "template")
_PATHS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("", "Pod"): (),
    ("", "ReplicationController"): _TEMPLATE,
    ("", "DeploymentConfig"): _TEMPLATE,  # OpenShift's, in its oldest spelling
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("extensions", "DaemonSet"): _TEMPLATE,
    ("extensions", "Deployment"): _TEMPLATE,
    ("extensions", "ReplicaSet"): _TEMPLATE,
    ("apps.openshift.io", "DeploymentConfig"): _TEMPLATE,
    ("argoproj.io", "Rollout"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
    ("batch", "Job"): _TEMPLATE,
}


def pod_template_path(document: object) -> tuple[str, ...] | None:
    """Where the pod stands in an object; None if the object is not known to have one."""
    if not isinstance(document, Mapping):
        return None
    api_version, kind = document.get("apiVersion"), document.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        return None
    group = api_version.rpartition("/")[0]
    return _PATHS.get((group, kind))


def inject_document(document: Any, inject_pod: InjectPod) -> Any:
    """The document, with proxies in all of its pods; a List is done item by item.

    Raises:
        PodError: a pod cannot be injected; the text begins with the object's kind and name.
    """
    if isinstance(document, Mapping) and document.get("kind") == "List" and isinstance(document.get("items"), list):
        return {**document, "items": [inject_document(item, inject_pod) for item in document["items"]]}
    path = pod_template_path(document)
    if path is None:
        return document
    metadata = document.get("metadata") or {}
    try:
        return _replaced(document, path, lambda pod: _injected(document, path, pod, inject_pod))
    except PodError as error:
        raise PodError(f"{document['kind']} {metadata.get('name', '')}: {error}") from None


def _injected(document: Mapping[str, Any], path: tuple[str, ...], pod: Json, inject_pod: InjectPod) -> Json:
    metadata = document.get("metadata") or {}
    if path:
        namespace = (pod.get("metadata") or {}).get("namespace") or metadata.get("namespace") or ""
        workload = Workload(
            name=str(metadata.get("name") or ""),
            namespace=str(metadata.get("namespace") or ""),
            api_version=document["apiVersion"],
            kind=document["kind"],
        )
    else:
        namespace = metadata.get("namespace") or ""
        workload = workload_of(pod, namespace=namespace)
    done = inject_pod(pod, workload, str(namespace))
    return pod if done is None else done


def _replaced(document: Any, path: tuple[str, ...], change: Callable[[Json], Json]) -> Any:
    if not isinstance(document, Mapping):
        raise PodError(f"want an object on the way to the pod, got {msgspec.to_builtins(document)!r}")
    if not path:
        return change(dict(document))
    first, *rest = path
    if not document.get(first):
        raise PodError(f"{first} is missing: it has no pod")
    return {**document, first: _replaced(document[first], tuple(rest), change)}
