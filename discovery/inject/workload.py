"""What a pod belongs to, as far as the pod itself tells: Deployments and CronJobs own it through something between."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from discovery.inject.documents import Json, labels_of, list_of, mapping_of

__all__ = ["Workload", "workload_of"]

_FROM_CRON: Final = re.compile(r"(.+)-\d{8,10}")  # the time in minutes, or an older form


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """The object that a person wrote."""

    name: str = ""
    namespace: str = ""
    api_version: str = "v1"
    kind: str = "Pod"


def workload_of(pod: Mapping[str, Any], *, namespace: str) -> Workload:
    """The workload of a pod. A pod whose name was not generated stands for itself."""
    metadata = mapping_of(pod, "metadata")
    own = Workload(name=metadata.get("name") or "", namespace=namespace)
    controllers = [owner for owner in list_of(pod, "metadata", "ownerReferences") if owner.get("controller")]
    if not metadata.get("generateName") or not controllers:
        return own
    found = _owner(controllers[0], labels_of(pod), namespace)
    return found if found.name else msgspec.structs.replace(found, name=own.name)


def _owner(owner: Json, labels: Mapping[str, str], namespace: str) -> Workload:
    kind, name = str(owner.get("kind", "")), str(owner.get("name", ""))
    found = Workload(name=name, namespace=namespace, api_version=str(owner.get("apiVersion", "")), kind=kind)
    replace = msgspec.structs.replace
    if kind == "ReplicaSet":
        for label, above, version in (
            ("pod-template-hash", "Deployment", ""),
            ("rollouts-pod-template-hash", "Rollout", "v1alpha1"),
        ):
            template = labels.get(label, "")
            if template and name.endswith(f"-{template}"):
                api_version = f"argoproj.io/{version}" if version else found.api_version
                return replace(found, name=name.removesuffix(f"-{template}"), kind=above, api_version=api_version)
    if kind == "ReplicationController" and labels.get("deploymentconfig"):
        return replace(
            found, name=labels["deploymentconfig"], kind="DeploymentConfig", api_version="apps.openshift.io/v1"
        )
    cron = _FROM_CRON.fullmatch(name) if kind == "Job" else None
    return replace(found, name=cron[1], kind="CronJob") if cron else found
