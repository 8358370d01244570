"""The two protocol variants behind one seam: how a request changes a subscription, and how a response is framed.

Everything else, from judging nonces to the order of pushes, is the same for both.
Spec: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#how-the-client-specifies-what-resources-to-return
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from discovery.wire.envoy import Node
from discovery.xds.names import Names, NameSets
from discovery.xds.request import Request
from discovery.xds.table import Form
from discovery.xds.watch import Watch

__all__ = ["WILDCARD", "Subscription", "Variant"]

WILDCARD = "*"


class Subscription(NamedTuple):
    """What a request makes of a client's subscription."""

    names: Names
    asked: frozenset[str] = frozenset()  # to be answered even if nothing about them changed
    everything: bool = False  # the wildcard was (again) asked for: all that it covers is to be answered
    demanded: frozenset[str] = (
        frozenset()
    )  # virtual hosts that a paused request waits for; not part of the subscription


class Variant(Protocol):
    """State of the world, or delta."""

    form: Form

    def parse(self, raw: bytes) -> tuple[Request, Node]:
        """Read a request. Raises: RequestError."""

    def first(self, request: Request, sets: NameSets) -> Subscription:
        """The subscription that a first request opens."""

    def change(self, watch: Watch, request: Request, sets: NameSets) -> Subscription:
        """The subscription after a later request."""

    def complete(self, type_url: str) -> bool:
        """Whether every response of the type carries all that the client is to hold."""

    def removal(self, names: frozenset[str]) -> bytes:
        """The part of a response that tells of removed resources."""

    def ack(self, watch: Watch, version: str, nonce: str) -> bytes:
        """The request that would accept a response and say nothing else; empty when none is so simple."""
