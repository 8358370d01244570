"""WorkloadEntry: one workload outside Kubernetes, and the form of inline endpoints of a ServiceEntry.

Spec: https://istio.io/latest/docs/reference/config/networking/workload-entry/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from discovery.schema.message import Message, UInt32

__all__ = ["HEALTHY", "HEALTH_CHECKED", "WorkloadEntry"]

HEALTHY: Final = "Healthy"
"""Type of the status condition that says what the agent's probe found."""
HEALTH_CHECKED: Final = "proxy.istio.io/health-checks-enabled"
"""Annotation, ``true`` on entries whose agent probes the application; they are unhealthy until it says otherwise."""


class WorkloadEntry(Message, frozen=True, kw_only=True):
    """A workload at an address: an IP, a host name, or ``unix:///path``."""

    address: str = ""
    ports: Mapping[str, UInt32] = {}
    labels: Mapping[str, str] = {}
    network: str = ""
    locality: str = ""
    weight: UInt32 = 0
    service_account: str = ""
