"""The domains of a virtual host: what clients may write in the ``Host`` header.

Ports are not part of them, Envoy leaves them out when it matches; only forward proxies tell hosts apart by port.

Spec: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#services
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from discovery.registry.host import is_wildcard
from discovery.schema.addresses import is_address

__all__ = ["ClientDomain", "Domains", "ServiceDomains", "host_domains", "service_domains", "short_names"]

_SVC = ".svc."


class Domains(NamedTuple):
    """Domains in order, and those among them that are shortened names: a host that is really called so goes first."""

    all: tuple[str, ...]
    short: tuple[str, ...] = ()


class ClientDomain(NamedTuple):
    """The search domain of a client's pod: ``<namespace>.svc.<suffix>``, or any other name as ``suffix``."""

    namespace: str
    suffix: str

    @classmethod
    def parse(cls, dns_domain: str) -> ClientDomain:
        """Read the domain from a node id."""
        namespace, svc, suffix = dns_domain.partition(_SVC)
        return cls(namespace, suffix) if svc else cls("", dns_domain)


class ServiceDomains(msgspec.Struct, frozen=True):
    """The domains of a service; spelled out as pods of its own and of other namespaces see them: nearly all clients."""

    host: str
    namespace: str  # in the host name; empty when it is no Kubernetes name
    suffix: str
    own: Domains
    others: Domains
    addresses: tuple[str, ...] = ()
    auto_addresses: tuple[str, ...] = ()  # for clients that resolve the host to addresses made for it
    pods_by_name: bool = False

    def seen_from(self, client: ClientDomain, *, auto_addresses: bool) -> Domains:
        """The domains for a client."""
        usual = not (auto_addresses and self.auto_addresses and not self.addresses)
        if usual and client.namespace and self.suffix in ("", client.suffix):
            return self.own if client.namespace == self.namespace else self.others
        addresses = self.addresses if usual else self.auto_addresses
        return _domains(self.host, short_names(self.host, client), addresses, pods_by_name=self.pods_by_name)


def service_domains(
    host: str, *, addresses: Iterable[str] = (), auto_addresses: Iterable[str] = (), pods_by_name: bool = False
) -> ServiceDomains:
    """The domains of a service.

    Args:
        host: its name.
        addresses: its virtual addresses; ranges are no hosts and left out.
        auto_addresses: addresses made for it where it has none.
        pods_by_name: each pod is a host below the service's.
    """
    bare = _address_domains(addresses)
    qualified, svc, suffix = host.partition(_SVC)
    namespace = qualified.partition(".")[2] if svc else ""
    short = (qualified, f"{qualified}.svc") if namespace else ()
    others = _domains(host, short, bare, pods_by_name=pods_by_name)
    seen = short_names(host, ClientDomain(namespace, suffix)) if namespace else ()
    own = _domains(host, seen, bare, pods_by_name=pods_by_name)
    return ServiceDomains(host, namespace, suffix, own, others, bare, _address_domains(auto_addresses), pods_by_name)


def _address_domains(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple([_bracketed(address) for address in addresses if "/" not in address])


def host_domains(host: str) -> Domains:
    """The domains of a host that only a VirtualService names: itself."""
    return Domains((_bracketed(host),))


def short_names(host: str, client: ClientDomain) -> tuple[str, ...]:
    """How a client may shorten a host.

    ``reviews.shop.svc.cluster.local`` is ``reviews``, ``reviews.shop.svc`` and ``reviews.shop`` to pods of ``shop``,
    and the latter two to pods of other namespaces of ``cluster.local``.
    """
    if is_wildcard(host) or _is_address(host):
        return ()
    if not client.namespace:
        return _unshared(host, client.suffix)
    qualified, svc, suffix = host.partition(_SVC)
    name, _, namespace = qualified.partition(".")
    if not svc or suffix != client.suffix or not namespace:
        return ()
    if namespace == client.namespace:
        return name, f"{qualified}.svc", qualified
    return qualified, f"{qualified}.svc"


def _unshared(host: str, dns_domain: str) -> tuple[str, ...]:
    """Outside of Kubernetes: the host without the labels that it shares with the client's domain."""
    own, theirs = host.split("."), dns_domain.split(".")
    shared = 0
    while shared < min(len(own), len(theirs)) and own[-1 - shared] == theirs[-1 - shared]:
        shared += 1
    if not shared or shared == len(own):
        return ()
    unique = own[: len(own) - shared]
    name = ".".join(unique)
    return (name, f"{name}.{own[len(unique)]}") if len(unique) == 2 else (name,)


def _domains(host: str, short: tuple[str, ...], addresses: Iterable[str], *, pods_by_name: bool) -> Domains:
    if is_wildcard(host) or _is_address(host):
        names: tuple[str, ...] = (_bracketed(host),)
    else:
        names = (host, f"{host}.", *short)  # with a final dot no search domain is tried
    if pods_by_name:
        names = (*names, *(f"*.{name}" for name in names))
    return Domains((*names, *addresses), short)


def _is_address(host: str) -> bool:
    return (":" in host or host[-1:].isdigit()) and is_address(host)  # most are names, and this is asked of each


def _bracketed(host: str) -> str:
    """A host as it stands in an authority: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host
