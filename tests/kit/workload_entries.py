"""Machines that register themselves, their groups and entries, with good defaults."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from discovery.controllers.workload_entries import Document
from discovery.registry.registrant import Registrant
from discovery.schema.decode import decode
from discovery.schema.meta import Object

__all__ = ["GROUP_SPEC", "START", "entry_object", "registrant", "workload_group"]

START = datetime(2026, 1, 1, tzinfo=UTC)
GROUP_SPEC: Mapping[str, Any] = {
    "metadata": {"labels": {"team": "blue", "version": "group"}, "annotations": {"note": "vm"}},
    "template": {
        "ports": {"http": 8080},
        "labels": {"app": "vm", "version": "template", "team": "red"},
        "serviceAccount": "vm",
        "weight": 3,
    },
}


def registrant(**fields: Any) -> Registrant:
    """A machine of the group ``vm`` at 10.0.0.7, verified to be who it says."""
    return Registrant(
        **{
            "proxy": "vm-0.shop",
            "connected_at": START,
            "namespace": "shop",
            "group": "vm",
            "identity_namespace": "shop",
            "identity_account": "vm",
            "address": "10.0.0.7",
            "labels": (("version", "machine"),),
            **fields,
        }
    )


def workload_group(spec: Mapping[str, Any] = GROUP_SPEC, *, uid: str = "", name: str = "vm") -> Object:
    """The group as the store has it."""
    metadata = {"name": name, "namespace": "shop", **({"uid": uid} if uid else {})}
    document = {"apiVersion": "networking.istio.io/v1", "kind": "WorkloadGroup", "metadata": metadata, "spec": spec}
    (found,) = decode(document).objects
    return found


def entry_object(document: Document) -> Object:
    """An entry as the store has it."""
    (found,) = decode(document).objects
    return found
