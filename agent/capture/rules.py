"""The words of a capture plan, the same for iptables and nftables: tables, chains, matches, verdicts.

A match is what a packet must be, a verdict what becomes of it. Chains carry iptables' names; nftables renders them in
lower case with dashes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

__all__ = [
    "BUILT_IN_CHAINS",
    "LOOPBACK",
    "Accept",
    "Address",
    "Chain",
    "ConnectionMark",
    "Drop",
    "Family",
    "Interface",
    "Jump",
    "Mark",
    "Match",
    "Owner",
    "OwnerKind",
    "Port",
    "Protocol",
    "Redirect",
    "RestoreMark",
    "Return",
    "Rule",
    "SaveMark",
    "SetMark",
    "State",
    "Table",
    "TransparentProxy",
    "Verdict",
    "Way",
    "Zone",
    "family_of",
]

LOOPBACK: Final = "lo"


class Family(StrEnum):
    """An IP family."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"


class Table(StrEnum):
    """Where in the packet's way a rule lies."""

    MANGLE = "mangle"
    NAT = "nat"
    RAW = "raw"


class Chain(StrEnum):
    """The kernel's own chains that capture hooks into, and the chains it makes."""

    PREROUTING = "PREROUTING"
    OUTPUT = "OUTPUT"
    INBOUND = "ISTIO_INBOUND"
    REDIRECT = "ISTIO_REDIRECT"
    IN_REDIRECT = "ISTIO_IN_REDIRECT"
    ISTIO_OUTPUT = "ISTIO_OUTPUT"
    OUTPUT_DNS = "ISTIO_OUTPUT_DNS"
    DIVERT = "ISTIO_DIVERT"
    TPROXY = "ISTIO_TPROXY"
    DROP = "ISTIO_DROP"


BUILT_IN_CHAINS: Final = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})


class Way(StrEnum):
    """Which end of a packet's way a match looks at."""

    SOURCE = "source"
    DESTINATION = "destination"


class OwnerKind(StrEnum):
    """Whether a process is known by its user or its group."""

    UID = "uid"
    GID = "gid"


class Interface(msgspec.Struct, frozen=True):
    """It came in by (source) or leaves by (destination) a network interface."""

    way: Way
    name: str


class Protocol(msgspec.Struct, frozen=True):
    """Its transport, ``tcp`` or ``udp``."""

    name: str


class Address(msgspec.Struct, frozen=True):
    """It comes from or goes to a range of addresses, or just not."""

    way: Way
    cidr: str
    negated: bool = False


class Port(msgspec.Struct, frozen=True):
    """It comes from or goes to one of some ports of a transport, or to none of them."""

    protocol: str
    way: Way
    numbers: tuple[int, ...]
    negated: bool = False


class Owner(msgspec.Struct, frozen=True):
    """The process that sent it; a name or a number."""

    kind: OwnerKind
    name: str
    negated: bool = False


class Mark(msgspec.Struct, frozen=True):
    """The packet's mark."""

    value: int
    negated: bool = False


class ConnectionMark(msgspec.Struct, frozen=True):
    """The mark of the connection that it belongs to."""

    value: int


class State(msgspec.Struct, frozen=True):
    """What connection tracking says of it, in upper case."""

    names: tuple[str, ...]


Match = Interface | Protocol | Address | Port | Owner | Mark | ConnectionMark | State


class Jump(msgspec.Struct, frozen=True):
    """Go on in another chain, and come back if nothing there decides."""

    chain: Chain


class Return(msgspec.Struct, frozen=True):
    """Leave this chain."""


class Accept(msgspec.Struct, frozen=True):
    """Leave the table; the packet goes on."""


class Drop(msgspec.Struct, frozen=True):
    """The packet ends here."""


class Redirect(msgspec.Struct, frozen=True):
    """To a port of this host; the original destination stays known to the kernel."""

    port: int


class TransparentProxy(msgspec.Struct, frozen=True):
    """To a listener of this host, without rewriting the packet."""

    port: int
    mark: int


class SetMark(msgspec.Struct, frozen=True):
    """Mark the packet."""

    value: int


class SaveMark(msgspec.Struct, frozen=True):
    """The packet's mark becomes that of its connection."""


class RestoreMark(msgspec.Struct, frozen=True):
    """The connection's mark becomes that of the packet."""


class Zone(msgspec.Struct, frozen=True):
    """Track the connection in a zone of its own."""

    number: int


Verdict = Jump | Return | Accept | Drop | Redirect | TransparentProxy | SetMark | SaveMark | RestoreMark | Zone


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the plan.

    Attributes:
        family: the only family it is for; None: whatever families are in use.
        at: 0-based place in its chain where it is put when its turn comes; None: at the end.
    """

    table: Table
    chain: Chain
    matches: tuple[Match, ...] = ()
    verdict: Verdict
    family: Family | None = None
    at: int | None = None


def family_of(address: str) -> Family:
    """The family of an address or range."""
    return Family.IPV6 if ":" in address else Family.IPV4
