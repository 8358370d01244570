"""How policies choose workloads and what they attach to (``type/v1beta1`` and ``networking/v1``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from discovery.schema.message import Message, UInt32

__all__ = ["PolicySelector", "PolicyTargetReference", "PolicyTargetReferences", "PortSelector", "WorkloadSelector"]

_LabelValue = Annotated[str, msgspec.Meta(max_length=63)]


class WorkloadSelector(Message, frozen=True, kw_only=True):
    """Workloads that carry all of the labels, as networking kinds write it."""

    labels: Annotated[Mapping[str, _LabelValue], msgspec.Meta(max_length=256)] = {}

    @property
    def wanted(self) -> Mapping[str, str]:
        """The labels asked for."""
        return self.labels


class PolicySelector(Message, frozen=True, kw_only=True):
    """Workloads that carry all of the labels, as policy kinds and DestinationRule write it."""

    match_labels: Annotated[Mapping[str, _LabelValue], msgspec.Meta(max_length=4096)] = {}

    @property
    def wanted(self) -> Mapping[str, str]:
        """The labels asked for."""
        return self.match_labels


class PolicyTargetReference(Message, frozen=True, kw_only=True):
    """The Gateway, Service or other object that a policy attaches to."""

    required = ("kind", "name")

    group: Annotated[
        str,
        msgspec.Meta(max_length=253, pattern=r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
    ] = ""
    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=63, pattern="^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")] = (
        ""
    )
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=253)] = ""
    namespace: str = ""


PolicyTargetReferences = Annotated[tuple[PolicyTargetReference, ...], msgspec.Meta(max_length=16)]


class PortSelector(Message, frozen=True, kw_only=True):
    """A port by number."""

    number: UInt32 = 0
