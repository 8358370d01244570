"""State-of-the-world xDS: every request carries the whole subscription.

Responses for clusters and listeners carry all of them, for what is missing is removed; those of other types may be
partial, and what is missing stays as it was.
Spec: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#four-variants
"""

from __future__ import annotations

from typing import Final

from discovery.wire.envoy import Node
from discovery.wire.protowire import string_field
from discovery.wire.type_urls import CLUSTER, LISTENER, WILDCARD_BY_DEFAULT
from discovery.xds.names import NameSets
from discovery.xds.request import Request, parse_sotw
from discovery.xds.table import Form
from discovery.xds.variant import WILDCARD, Subscription
from discovery.xds.watch import Watch

__all__ = ["StateOfTheWorld"]

_COMPLETE: Final = frozenset({CLUSTER, LISTENER})
_ONLY_WILDCARD = frozenset({WILDCARD})


class StateOfTheWorld:
    """The variant without increments."""

    form = Form.SOTW

    def parse(self, raw: bytes) -> tuple[Request, Node]:
        """Read a request. Raises: RequestError."""
        return parse_sotw(raw)

    def first(self, request: Request, sets: NameSets) -> Subscription:
        """Naming nothing means all, for types that have a wildcard by default."""
        named = request.names or frozenset()
        wildcard = WILDCARD in named or (not named and request.type_url in WILDCARD_BY_DEFAULT)
        return Subscription(sets.of(named - _ONLY_WILDCARD, wildcard=wildcard))

    def change(self, watch: Watch, request: Request, sets: NameSets) -> Subscription:
        """Names that were not there before are questions; an empty list means nothing once something was named."""
        named = request.names or frozenset()
        before = watch.names
        wildcard = WILDCARD in named or (not named and before.wildcard and not watch.spoke)
        explicit = named - _ONLY_WILDCARD
        if wildcard is before.wildcard and explicit == before.explicit:
            return Subscription(before)
        return Subscription(
            sets.of(explicit, wildcard=wildcard),
            asked=frozenset() if before.wildcard else explicit - before.explicit,
            everything=wildcard and not before.wildcard,
        )

    def complete(self, type_url: str) -> bool:
        """Clusters and listeners; for the other types a response says nothing of what it leaves out."""
        return type_url in _COMPLETE

    def removal(self, names: frozenset[str]) -> bytes:
        """Nothing: this variant removes by leaving out, or not at all."""
        del names
        return b""

    def ack(self, watch: Watch, version: str, nonce: str) -> bytes:
        """Only where the client names nothing: it repeats its names in every request."""
        if watch.spoke or watch.names.explicit or not watch.names.wildcard:
            return b""
        return string_field(1, version) + string_field(4, watch.type_url) + string_field(5, nonce)
