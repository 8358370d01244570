"""Which addresses a workload has, and what follows from their families: localhost, wildcard, DNS lookups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import msgspec

__all__ = ["AddressPlan", "Interface", "instance_ips", "plan_addresses"]


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """A network interface of the host; ``addresses`` are texts without a prefix length."""

    name: str
    up: bool = True
    loopback: bool = False
    addresses: tuple[str, ...] = ()


class AddressPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How Envoy's static listeners and lookups are to be bound; ``second_wildcard`` only in dual stack."""

    localhost: str = "127.0.0.1"
    wildcard: str = "0.0.0.0"  # noqa: S104 - the static listeners serve kubelet and Prometheus
    second_wildcard: str = ""
    dns_lookup_family: str = "V4_ONLY"

    @property
    def ip_version(self) -> str:
        """``v4`` or ``v6``, the primary family."""
        return "v6" if ":" in self.localhost else "v4"


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def instance_ips(
    first: str, interfaces: Iterable[Interface], *, excluded: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """The addresses of a workload, the one it is known by first.

    ``first`` comes from the platform (``INSTANCE_IP``) and may be empty; then the addresses of all interfaces that are
    up and not loopback, without link-local ones, without repetition, without those of ``excluded`` interfaces.
    Nothing found gives both loopback addresses. If ``first`` is loopback, it stays alone: then several workloads share
    one host, and the host's addresses belong to none of them.
    """
    interfaces = tuple(interfaces)
    banned = {_parse(text) for interface in interfaces if interface.name in excluded for text in interface.addresses}
    found: list[str] = []
    candidates = [_parse(first)] if first else []
    alone = bool(candidates and candidates[0] and candidates[0].is_loopback)
    for interface in () if alone else interfaces:
        if interface.up and not interface.loopback:
            candidates += [
                address for text in interface.addresses if (address := _parse(text)) and not _link_local(address)
            ]
    for address in candidates:
        if address is not None and address not in banned and str(address) not in found:
            found.append(str(address))
    return tuple(found) or ("127.0.0.1", "::1")


def _link_local(address: IPv4Address | IPv6Address) -> bool:
    multicast = address.is_multicast and (str(address).startswith("224.0.0.") or str(address).startswith("ff02:"))
    return address.is_link_local or multicast


def plan_addresses(ips: Sequence[str], *, dual_stack: bool) -> AddressPlan:
    """Families of a node: IPv6 only if all addresses are; both only where dual stack is switched on."""
    families = [":" in ip for ip in ips]
    if dual_stack and True in families and False in families:
        if families[0]:
            return AddressPlan(localhost="::1", wildcard="::", second_wildcard="0.0.0.0", dns_lookup_family="ALL")  # noqa: S104
        return AddressPlan(second_wildcard="::", dns_lookup_family="ALL")
    if families and all(families):
        return AddressPlan(localhost="::1", wildcard="::", dns_lookup_family="V6_ONLY")
    return AddressPlan()
