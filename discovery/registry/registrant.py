"""Proxies outside Kubernetes that want to be in the registry: what they say of themselves, and why they may not."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

__all__ = ["Refusal", "RefusedError", "Registrant"]


class Refusal(StrEnum):
    """Why a proxy is not registered."""

    FORBIDDEN = "forbidden"
    """It is not who may be such a workload."""
    MISSING = "missing"
    """What it refers to does not exist."""


class RefusedError(Exception):
    """A proxy cannot be registered, and should be told; the text says what was wanted."""

    def __init__(self, refusal: Refusal, reason: str) -> None:
        super().__init__(reason)
        self.refusal = refusal


class Registrant(msgspec.Struct, frozen=True, kw_only=True):
    """A proxy on a stream of its own that names the WorkloadGroup it belongs to, or the WorkloadEntry it is.

    Attributes:
        proxy: ``<name>.<namespace>`` of the node, for people.
        connected_at: when its stream was admitted; tells its streams apart.
        identity_namespace: of its verified identity; empty when nothing is verified.
        identity_account: service account of its verified identity.
        address: the first of its addresses.
        labels: those that it states itself.
        locality: region/zone/subzone.
        probed: its agent probes the application.
    """

    proxy: str
    connected_at: datetime
    namespace: str
    group: str = ""
    entry: str = ""
    identity_namespace: str = ""
    identity_account: str = ""
    address: str = ""
    network: str = ""
    locality: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    probed: bool = False
