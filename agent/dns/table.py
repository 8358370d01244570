"""Names of the mesh and their addresses: a pure lookup by names in wire form.

Only the names that the control plane told are held. Shorter forms, and those that a client makes by appending the
first search domain of its ``resolv.conf``, are found by undoing what the client did: all of them would be ten times
as many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final, NamedTuple

from agent.dns.messages import wire_name
from agent.dns.name_table import NameInfo
from discovery.wire.name_table import NamedPort

__all__ = ["Addresses", "Found", "Missing", "Place", "Table", "build_table"]

_KUBERNETES: Final = "Kubernetes"
_SVC: Final = b"\x03svc\0"
_STAR: Final = b"\x01*"


class Place(NamedTuple):
    """Where the client lives: what its short names are short for.

    ``domain`` is the DNS suffix of services, without the namespace; ``search`` are the search domains that it appends.
    """

    namespace: str = ""
    domain: str = ""
    search: tuple[str, ...] = ()

    @classmethod
    def of(cls, namespace: str, proxy_domain: str, search: Iterable[str] = ()) -> Place:
        """The place of a proxy whose domain may start with its namespace."""
        return cls(namespace, proxy_domain.strip(".").removeprefix(f"{namespace}."), tuple(search))


class Addresses(NamedTuple):
    """Packed addresses, in the order of the name table."""

    v4: tuple[bytes, ...]
    v6: tuple[bytes, ...]
    shortens: bool = False  # a Kubernetes name, which clients may write without the common suffix
    ports: tuple[NamedPort, ...] = ()  # those that have a name, if the control plane tells them

    def texts(self) -> tuple[str, ...]:
        """As people write them, IPv4 first."""
        return (*(inet_ntop(AF_INET, ip) for ip in self.v4), *(inet_ntop(AF_INET6, ip) for ip in self.v6))


class Found(NamedTuple):
    """The addresses of a name, and the name that it is another one for (in wire form), if it is."""

    addresses: Addresses
    alias: bytes = b""


class Missing(Enum):
    """Why a name has no addresses here."""

    UNKNOWN = "unknown"  # others may know it
    IMPOSSIBLE = "impossible"  # a full name of the mesh with a search domain behind it: nobody has that


class Table:
    """Names and addresses; made by ``build_table``, never changed."""

    def __init__(self, place: Place, hosts: dict[bytes, Addresses], wild: dict[bytes, Addresses]) -> None:
        self._hosts = hosts
        self._wild = wild
        suffix = _suffix(place.domain)
        self._suffix = suffix
        own = wire_name(place.namespace) if place.namespace else None
        self._own_suffix = own[:-1] + suffix if own and suffix else b""
        self._search = tuple(filter(None, map(_suffix, place.search)))

    def __len__(self) -> int:
        return len(self._hosts) + len(self._wild)

    def lookup(self, name: bytes, labels: tuple[int, ...]) -> Found | Missing:
        """What is known of a name.

        Args:
            name: in wire form, lower case.
            labels: where in it labels begin.
        """
        found = self._known(name)
        if found is not None:
            return Found(found)
        for at, search in enumerate(self._search):
            base = _without(name, labels, search)
            if base is None:
                continue
            found = self._known(base)
            if found is None:
                continue
            if found.shortens and base.endswith(self._suffix) and (at or base.endswith(search)):
                return Missing.IMPOSSIBLE
            if not at and not base.endswith(search):
                return Found(found, base)
        return self._match_wild(name, labels) if self._wild else Missing.UNKNOWN

    def _known(self, name: bytes) -> Addresses | None:
        """The addresses of a name, in full or shortened."""
        found = self._hosts.get(name)
        if found is not None or not self._suffix:
            return found
        for candidate in self._spelled_out(name):
            found = self._hosts.get(candidate)
            if found is not None and found.shortens:
                return found
        return None

    def _spelled_out(self, name: bytes) -> list[bytes]:
        """What a name may be short for."""
        stem = name[:-1]
        candidates = [stem + self._suffix, stem + self._own_suffix] if self._own_suffix else [stem + self._suffix]
        if name.endswith(_SVC):
            candidates.append(name[: -len(_SVC)] + self._suffix)
        return candidates

    def exact(self, name: bytes) -> Addresses | None:
        """The addresses of a name that is in the table as it is."""
        return self._hosts.get(name)

    def full_name(self, name: bytes) -> bytes:
        """The name in the table that a known name is short for; itself, if it is in full or below a wildcard."""
        if name in self._hosts or not self._suffix:
            return name
        known = ((full, self._hosts.get(full)) for full in self._spelled_out(name))
        return next((full for full, found in known if found is not None and found.shortens), name)

    def _match_wild(self, name: bytes, labels: tuple[int, ...]) -> Found | Missing:
        """The wildcard with the longest suffix, at any depth."""
        search = self._search[0] if self._search else b""
        for at in labels[1:]:
            rest = name[at:]
            found = self._wild.get(rest)
            if found is not None:
                return Found(found)
            if search and rest.endswith(search) and len(rest) > len(search):
                base = rest[: -len(search)] + b"\0"
                found = self._wild.get(base)
                if found is not None:
                    return Found(found, _STAR + base)
        return Missing.UNKNOWN

    def names(self) -> Iterator[tuple[str, Addresses]]:
        """Every name that is known without a search domain, with its final dot, and its addresses."""
        for name, addresses in self._hosts.items():
            yield _text(name), addresses
            if addresses.shortens:
                stem = _text(name[: -len(self._suffix)])
                yield stem, addresses
                yield f"{stem}svc.", addresses
                if self._own_suffix and name.endswith(self._own_suffix):
                    yield _text(name[: -len(self._own_suffix)]), addresses
        for name, addresses in self._wild.items():
            yield f"*.{_text(name)}", addresses


def build_table(entries: Iterable[NameInfo], place: Place) -> Table:
    """The table of a proxy. Addresses that are none are skipped, and so are names that have no other.

    Raises:
        ValueError: what the entries raise while they are read.
    """
    hosts: dict[bytes, Addresses] = {}
    wild: dict[bytes, Addresses] = {}
    suffix = _suffix(place.domain)
    extra: dict[bytes, Addresses] = {}
    for info in entries:
        addresses = _pack(info.ips, info.ports)
        name = wire_name(info.host)
        if name is None or addresses is None:
            continue
        if name.startswith(_STAR):
            wild[name[len(_STAR) :]] = addresses
            continue
        if info.registry == _KUBERNETES and suffix and name.endswith(suffix) and info.short_name:
            extra.update(_spelled_out(info, addresses, place))
            if wire_name(f"{info.short_name}.{info.namespace}.{place.domain}") == name:
                addresses = addresses._replace(shortens=True)
        hosts[name] = addresses
    for name, addresses in extra.items():
        if name not in hosts:
            hosts[name] = addresses
    return Table(place, hosts, wild)


def _spelled_out(info: NameInfo, addresses: Addresses, place: Place) -> Iterator[tuple[bytes, Addresses]]:
    """Further names that do not follow from the full one."""
    names = list(info.alt_hosts)
    if f"{info.short_name}.{info.namespace}.{place.domain}" != info.host.lower().rstrip("."):
        names += [f"{info.short_name}.{info.namespace}", f"{info.short_name}.{info.namespace}.svc"]
        names += [info.short_name] if info.namespace == place.namespace else []
    for text in names:
        name = wire_name(text)
        if name is not None:
            yield name, addresses


def _pack(ips: Iterable[str], ports: tuple[NamedPort, ...]) -> Addresses | None:
    """Packed addresses by family; None: there is none."""
    v4, v6 = [], []
    for ip in ips:
        try:
            if ":" in ip:
                v6.append(inet_pton(AF_INET6, ip))
            else:
                v4.append(inet_pton(AF_INET, ip))
        except OSError:
            continue  # a range, or a name
    return Addresses(tuple(v4), tuple(v6), ports=ports) if v4 or v6 else None


def _suffix(domain: str) -> bytes:
    """A domain as the end of names in wire form; empty for none."""
    return (wire_name(domain) or b"") if domain.strip(".") else b""


def _without(name: bytes, labels: tuple[int, ...], suffix: bytes) -> bytes | None:
    """The name without a domain at its end; None where it does not stand there, or nothing else does."""
    cut = len(name) - len(suffix)
    return name[:cut] + b"\0" if name.endswith(suffix) and cut in labels[1:] else None


def _text(name: bytes) -> str:
    """With a final dot; the root at the end of the name may be missing."""
    labels, at = [], 0
    while at < len(name) and (size := name[at]):
        labels.append(name[at + 1 : at + 1 + size].decode("ascii"))
        at += size + 1
    return ".".join(labels) + "."
