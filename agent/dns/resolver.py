"""What the proxy does with one message: an answer at once, a question to others, or nothing. No I/O.

Names of the mesh are answered for addresses, and for who serves their named ports (SRV). Where a name has no address of
the family asked for, the answer is empty, never that the name does not exist: clients would believe that of both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from agent.dns.messages import (
    AAAA,
    IN,
    MAX_TCP,
    SRV,
    A,
    MessageError,
    Query,
    Rcode,
    build_addresses,
    build_error,
    build_targets,
    parse_query,
    truncate,
)
from agent.dns.metrics import DnsMetrics
from agent.dns.negative_cache import NegativeCache
from agent.dns.services import find_targets
from agent.dns.table import Found, Missing, Table

__all__ = ["Forward", "Resolver"]

_FAMILIES: Final = (A, AAAA)

T = TypeVar("T")


class Forward(NamedTuple):
    """A message for upstream resolvers. ``limit``: the largest answer that the client takes, in bytes."""

    data: bytes
    query: Query
    limit: int


class Resolver:
    """Judges messages by the present table.

    Args:
        metrics: of the proxy.
        monotonic: the clock that remembered answers expire by.
        chance: uniform in [0, 1), for the order of addresses.
        needs_table: whether to answer nothing before the first table.
    """

    def __init__(
        self,
        metrics: DnsMetrics,
        *,
        monotonic: Callable[[], float],
        chance: Callable[[], float],
        needs_table: bool = True,
    ) -> None:
        self.table: Table | None = None
        self._metrics = metrics
        self._monotonic = monotonic
        self._chance = chance
        self._needs_table = needs_table
        self._negative = NegativeCache()

    def judge(self, data: bytes, *, tcp: bool = False) -> bytes | Forward | None:
        """An answer, a message to be forwarded, or None for what no answer is due to."""
        self._metrics.requests.inc()
        try:
            query = parse_query(data)
        except MessageError as error:
            return None if error.rcode is None else build_error(data, error.rcode)
        limit = MAX_TCP if tcp else query.size
        table = self.table
        if table is None:
            return build_error(data, Rcode.SERVFAIL, query) if self._needs_table else Forward(data, query, limit)
        if query.kind in _FAMILIES and query.family == IN:
            found = table.lookup(query.name, query.labels)
            if isinstance(found, Found):
                return self._answer(data, query, found, limit)
            if found is Missing.IMPOSSIBLE:
                return build_error(data, Rcode.NXDOMAIN, query)
        elif query.kind == SRV and query.family == IN:
            located = find_targets(table, query.name, query.labels)
            if located is not None:
                targets = self._rotated(located.targets)
                return build_targets(data, query, targets, limit=limit, alias=located.alias)
        remembered = self._negative.get(data, query, self._monotonic())
        if remembered is not None:
            self._metrics.remembered.inc()
            return remembered
        return Forward(data, query, limit)

    def conclude(self, forward: Forward, response: bytes | None) -> bytes:
        """The client's answer, given what upstream resolvers answered; None: nothing."""
        if response is None:
            return build_error(forward.data, Rcode.SERVFAIL, forward.query)
        self._negative.put(forward.data, forward.query, response, self._monotonic())
        response = forward.data[:2] + response[2:]
        return response if len(response) <= forward.limit else truncate(response, forward.query)

    def _answer(self, data: bytes, query: Query, found: Found, limit: int) -> bytes:
        addresses = self._rotated(found.addresses.v4 if query.kind == A else found.addresses.v6)
        return build_addresses(data, query, addresses, limit=limit, alias=found.alias)

    def _rotated(self, items: tuple[T, ...]) -> tuple[T, ...]:
        """Any of them first, the others in a circle."""
        if len(items) < 2:
            return items
        first = int(self._chance() * len(items))
        return items[first:] + items[:first]
