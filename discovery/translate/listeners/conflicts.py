"""What happens when several services want one address and port.

Services are taken oldest first, so the one that was there first keeps what both claim. A later one is merged in where
Envoy can tell the two apart, else it is left out and reported.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from discovery.registry.service import Protocol, ProtocolClass, Service, ServiceRef
from discovery.translate.listeners.spec import EVERYTHING, PLAINTEXT, Chain, ChainMatch, HttpTarget

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

    __slots__ = ("family", "http", "locked", "protocol", "sniffs", "tcp")

    def __init__(self, first: Attempt) -> None:
        self.protocol = first.protocol
        self.family = ProtocolClass.AUTO if first.sniff else first.protocol.family
        self.http = first.http
        self.sniffs = first.sniff
        chains = first.tcp
        self.tcp = {chains[0].match: chains[0]} if len(chains) == 1 else {chain.match: chain for chain in chains}
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
            if chain.match in self.tcp or (plain_http and chain.match == EVERYTHING):
                refused = "an older service takes the same connections"
            else:
                self.tcp[chain.match] = chain
        return refused

    def chains(self, *, http10: bool) -> list[Chain]:
        """The chains, those of TCP first."""
        chains = list(self.tcp.values())
        if self.http is not None:
            match = sniffed(http10=http10) if self.sniffs else EVERYTHING
            chains.append(Chain(match=match, target=self.http))
        return chains
