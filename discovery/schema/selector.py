"""How policies choose workloads and what they attach to (``type/v1beta1`` and ``networking/v1``)."""

from __future__ import annotations

from collections.abc import Mapping

from discovery.schema.message import Message, UInt32

__all__ = ["PolicyTargetReference", "PortSelector", "WorkloadSelector"]


class WorkloadSelector(Message, frozen=True, kw_only=True):
    """Workloads that carry all of the labels. Networking kinds write ``labels``, policy kinds ``matchLabels``."""

    labels: Mapping[str, str] = {}
    match_labels: Mapping[str, str] = {}

    @property
    def wanted(self) -> Mapping[str, str]:
        """The labels asked for, whichever spelling the kind has."""
        return self.labels or self.match_labels


class PolicyTargetReference(Message, frozen=True, kw_only=True):
    """The Gateway, Service or other object that a policy attaches to."""

    group: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""


class PortSelector(Message, frozen=True, kw_only=True):
    """A port by number."""

    number: UInt32 = 0
