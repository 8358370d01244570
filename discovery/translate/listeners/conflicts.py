"""What happens when several services want one address and port.

Services are taken oldest first, so the one that was there first keeps what both claim. A later one is merged in where
Envoy can tell the two apart, else it is left out and reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from discovery.registry.service import Protocol, ProtocolClass, Service, ServiceRef
from discovery.translate.listeners.spec import EVERYTHING, PLAINTEXT, Chain, ChainMatch, HttpTarget, network_of

__all__ = ["Attempt", "Conflict", "Entry", "sniffed"]

# Their filters read the first bytes themselves, so nothing else can share the port.
_EXCLUSIVE: Final = frozenset({Protocol.MONGO, Protocol.MYSQL})


class Conflict(NamedTuple):
    """A service port that got no place, and where."""

    bind: str
    port: int
    service: ServiceRef
    reason: str


class Attempt(NamedTuple):
    """What one service port wants of an address and port."""

    service: Service | None  # None: the Sidecar itself
    protocol: Protocol
    tcp: tuple[Chain, ...] = ()
    http: HttpTarget | None = None
    sniff: bool = False  # take only what is seen to be HTTP


def sniffed(*, http10: bool) -> ChainMatch:
    """What the HTTP inspector says of plaintext HTTP."""
    return ChainMatch(transport=PLAINTEXT, alpn=("http/1.1", "h2c", "http/1.0") if http10 else ("http/1.1", "h2c"))


class Entry:
    """The claims on one address and port; built up during one selection, never kept."""

    __slots__ = ("_taken", "family", "http", "locked", "protocol", "sniffs", "tcp")

    def __init__(self, first: Attempt) -> None:
        self.protocol = first.protocol
        self.family = ProtocolClass.AUTO if first.sniff else first.protocol.family
        self.http = first.http
        self.sniffs = first.sniff
        self.tcp: dict[ChainMatch, Chain] = {}
        self._taken: set[tuple[object, ...]] | None = None  # looked for once there are several chains
        for chain in first.tcp:
            self._take(chain)
        self.locked = False  # written in a Sidecar: what the catch-all brings may not change it

    def claim(self, attempt: Attempt) -> str:
        """Merge another service port in; gives why it cannot, or an empty text."""
        if self.locked:
            return ""
        if attempt.protocol is not self.protocol and _EXCLUSIVE & {attempt.protocol, self.protocol}:
            return f"{attempt.protocol} and {self.protocol} cannot share a port"
        family = attempt.protocol.family
        if family is ProtocolClass.HTTP:
            self._claim_http(attempt)
            return ""
        if family is ProtocolClass.AUTO and (self.family is ProtocolClass.HTTP or self.http is None):
            self.http, self.sniffs = attempt.http, True
        self.family = ProtocolClass.AUTO if self.http is not None else ProtocolClass.TCP
        return self._claim_tcp(attempt.tcp)

    def _claim_http(self, attempt: Attempt) -> None:
        """Routes of all hosts come by one route configuration, so one HTTP chain serves all services."""
        if self.http is None:
            self.http, self.sniffs, self.family = attempt.http, True, ProtocolClass.AUTO
        elif attempt.http is not None and attempt.http.grpc_web and not self.http.grpc_web:
            self.http = attempt.http

    def _claim_tcp(self, chains: Iterable[Chain]) -> str:
        refused = ""
        plain_http = self.http is not None and not self.sniffs
        for chain in chains:
            if (plain_http and chain.match == EVERYTHING) or not self._take(chain):
                refused = "an older service takes the same connections"
        return refused

    def _take(self, chain: Chain) -> bool:
        """Add a chain, without the names or ranges that earlier ones have; gives whether anything was left of it.

        Envoy refuses the whole listener for one server name at one range that two chains ask for.
        """
        match = chain.match
        if not self.tcp:
            self.tcp[match] = chain
            return True
        if match in self.tcp:
            return False
        taken = self._taken
        if taken is None:
            taken = self._taken = {claim for earlier in self.tcp for claim in _claims(earlier)}
        free = _free(match, taken)
        if free is None:
            return False
        taken.update(_claims(free))
        self.tcp[free] = chain if free is match else msgspec.structs.replace(chain, match=free)
        return True

    def chains(self, *, http10: bool) -> list[Chain]:
        """The chains, those of TCP first."""
        chains = list(self.tcp.values())
        if self.http is not None:
            match = sniffed(http10=http10) if self.sniffs else EVERYTHING
            chains.append(Chain(match=match, target=self.http))
        return chains


def _claims(match: ChainMatch) -> Iterator[tuple[object, ...]]:
    """All that Envoy looks up to find the chain."""
    for subnet in match.subnets or ("",):
        network = network_of(subnet) if subnet else None
        for name in match.server_names or ("",):
            yield match.port, match.transport, match.alpn, network, name


def _free(match: ChainMatch, taken: set[tuple[object, ...]]) -> ChainMatch | None:
    """What of a match nobody has taken: some of its names at all of its ranges, or some ranges; None: nothing."""
    if taken.isdisjoint(_claims(match)):
        return match
    names = tuple(n for n in match.server_names if taken.isdisjoint(_claims(match._replace(server_names=(n,)))))
    if names:
        return match._replace(server_names=names)
    subnets = tuple(s for s in match.subnets if taken.isdisjoint(_claims(match._replace(subnets=(s,)))))
    return match._replace(subnets=subnets) if subnets else None
