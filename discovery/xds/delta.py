"""Delta xDS: requests tell what changes in a subscription, responses what changes in the resources.

Spec: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#incremental-xds
"""

from __future__ import annotations

from discovery.wire.envoy import Node
from discovery.wire.protowire import bytes_field, string_field
from discovery.wire.type_urls import VIRTUAL_HOST, WILDCARD_BY_DEFAULT
from discovery.xds.names import NameSets
from discovery.xds.reports import Reports
from discovery.xds.request import Request, parse_delta
from discovery.xds.table import Form
from discovery.xds.variant import WILDCARD, Subscription
from discovery.xds.watch import Watch

__all__ = ["Delta"]

_ONLY_WILDCARD = frozenset({WILDCARD})
_NOTHING: frozenset[str] = frozenset()


class Delta:
    """The incremental variant."""

    form = Form.DELTA

    def __init__(self) -> None:
        self._reports = Reports()

    def trim(self) -> None:
        """Forget what clients reported; for quiet times."""
        self._reports.trim()

    def parse(self, raw: bytes) -> tuple[Request, Node]:
        """Read a request. Raises: RequestError."""
        return parse_delta(raw, self._reports)

    def first(self, request: Request, sets: NameSets) -> Subscription:
        """Names subscribed and names held count; naming none means all, for types with a wildcard by default."""
        if request.type_url == VIRTUAL_HOST:
            # Envoy subscribes to no name and wants the hosts of its route configurations; a name is a question.
            return Subscription(sets.of(_NOTHING, wildcard=True), demanded=request.subscribe - _ONLY_WILDCARD)
        wildcard = WILDCARD in request.subscribe or (not request.subscribe and request.type_url in WILDCARD_BY_DEFAULT)
        explicit = request.subscribe
        if not wildcard and request.known and not request.known.versions.keys() <= explicit:
            explicit = explicit.union(request.known.versions)
        if request.unsubscribe or WILDCARD in explicit:
            explicit -= request.unsubscribe | _ONLY_WILDCARD
        return Subscription(sets.of(explicit, wildcard=wildcard))

    def change(self, watch: Watch, request: Request, sets: NameSets) -> Subscription:
        """Subscribing again is a question to be answered; so is leaving a name that the wildcard still covers."""
        add, drop = request.subscribe, request.unsubscribe
        names = watch.names
        if not add and not drop:
            return Subscription(names)
        if watch.type_url == VIRTUAL_HOST:
            return Subscription(names, demanded=add - _ONLY_WILDCARD)
        everything = WILDCARD in add
        wildcard = everything or (names.wildcard and WILDCARD not in drop)
        add, drop = add - _ONLY_WILDCARD, drop - _ONLY_WILDCARD
        if wildcard is names.wildcard:
            after = sets.revise(names, add=add, drop=drop) if add or drop else names
        else:
            after = sets.of((names.explicit - drop) | add, wildcard=wildcard)
        return Subscription(after, asked=add | drop if wildcard else add, everything=everything)

    def complete(self, type_url: str) -> bool:
        """Never: responses carry changes."""
        del type_url
        return False

    def removal(self, names: frozenset[str]) -> bytes:
        """The field ``removed_resources``."""
        return b"".join(bytes_field(6, name.encode()) for name in sorted(names))

    def ack(self, watch: Watch, version: str, nonce: str) -> bytes:
        """Type URL and nonce, in the order in which protobuf writes them."""
        del version
        return string_field(2, watch.type_url) + string_field(6, nonce)
