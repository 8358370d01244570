"""WorkloadEntry: one workload outside Kubernetes, and the form of inline endpoints of a ServiceEntry.

Spec: https://istio.io/latest/docs/reference/config/networking/workload-entry/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from discovery.schema.message import Message, UInt32

__all__ = ["HEALTHY", "HEALTH_CHECKED", "WorkloadEntry"]

HEALTHY: Final = "Healthy"
"""Type of the status condition that says what the agent's probe found."""
HEALTH_CHECKED: Final = "proxy.istio.io/health-checks-enabled"
"""Annotation, ``true`` on entries whose agent probes the application; they are unhealthy until it says otherwise."""


_Place = Annotated[str, msgspec.Meta(max_length=2048)]


class WorkloadEntry(Message, frozen=True, kw_only=True):
    """A workload at an address: an IP, a host name, or ``unix:///path``."""

    address: Annotated[str, msgspec.Meta(max_length=256)] = ""
    ports: Annotated[Mapping[str, UInt32], msgspec.Meta(max_length=128)] = {}
    labels: Annotated[Mapping[str, str], msgspec.Meta(max_length=256)] = {}
    network: _Place = ""
    locality: _Place = ""
    weight: UInt32 = 0
    service_account: Annotated[str, msgspec.Meta(max_length=253)] = ""
