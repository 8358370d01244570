"""The types of xDS that end in the agent: who takes them, and how a refusal is told.

A later part of the agent (the DNS table, mesh-wide trust anchors) joins by implementing ``Intercept``; the relay then
subscribes to its type after Envoy's first LDS request, hands it each resource and answers the control plane.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

__all__ = ["Intercept", "index_intercepts"]


class Intercept(Protocol):
    """A consumer of one type of xDS."""

    @property
    def type_url(self) -> str:
        """The type it consumes."""

    def handle(self, resource: bytes) -> None:
        """Take the payload of the first resource of a response. Must not block.

        Raises:
            Exception: it is not acceptable; the text goes to the control plane in a NACK, the old state stays.
        """


def index_intercepts(intercepts: Iterable[Intercept]) -> dict[str, Intercept]:
    """Intercepts by type URL, in the order in which they subscribe.

    Raises:
        ValueError: two consume the same type.
    """
    found: dict[str, Intercept] = {}
    for intercept in intercepts:
        if intercept.type_url in found:
            raise ValueError(f"xDS intercepts: two consume {intercept.type_url}, want one each; drop one of them")
        found[intercept.type_url] = intercept
    return found
