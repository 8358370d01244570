"""Requests for the files of a virtual machine, with good defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from discovery.ctl.vm.request import VmRequest
from discovery.schema.decode import decode

__all__ = ["GROUP", "vm_request"]

GROUP = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "WorkloadGroup",
    "metadata": {"name": "vm", "namespace": "shop"},
}


def vm_request(spec: Mapping[str, Any] | None = None, **fields: Any) -> VmRequest:
    """A request for a group of that spec."""
    (group,) = decode({**GROUP, "spec": dict(spec or {})}).objects
    return VmRequest(**{"group": group, "cluster_id": "Kubernetes", **fields})
