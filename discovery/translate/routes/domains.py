"""The domains of a virtual host: what clients may write in the ``Host`` header.

Ports are not part of them, Envoy leaves them out when it matches; only forward proxies tell hosts apart by port.

Spec: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#services
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple

from discovery.registry.host import is_wildcard

__all__ = ["Domains", "host_domains", "service_domains", "short_names"]

_SVC = ".svc."


class Domains(NamedTuple):
    """Domains in order, and those among them that are shortened names: a host that is really called so goes first."""

    all: tuple[str, ...]
    short: tuple[str, ...] = ()


def short_names(host: str, dns_domain: str) -> tuple[str, ...]:
    """How a host may be shortened where ``dns_domain`` is the search domain of the client's pod.

    ``reviews.shop.svc.cluster.local`` is ``reviews``, ``reviews.shop.svc`` and ``reviews.shop`` to pods of ``shop``,
    and the latter two to pods of other namespaces of ``cluster.local``.
    """
    namespace, svc, suffix = dns_domain.partition(_SVC)
    if not svc:
        return _unshared(host, dns_domain)
    qualified, its_svc, its_suffix = host.partition(_SVC)
    if not its_svc or its_suffix != suffix:
        return ()
    name, dot, its_namespace = qualified.partition(".")
    if not dot or not its_namespace:
        return ()
    if its_namespace == namespace:
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


def host_domains(host: str) -> Domains:
    """The domains of a host that only a VirtualService names: itself."""
    return Domains((_bracketed(host),))


def service_domains(
    hosts: Iterable[str], dns_domain: str, *, addresses: Iterable[str] = (), pods_by_name: bool = False
) -> Domains:
    """The domains of a service.

    Args:
        hosts: its own and those of its aliases.
        dns_domain: the search domain of the client's pod.
        addresses: its virtual addresses; ranges are no hosts and left out.
        pods_by_name: each pod is a host below the service's.
    """
    domains: list[str] = []
    shortened: tuple[str, ...] = ()
    for host in hosts:
        if is_wildcard(host) or _is_address(host):
            domains.append(_bracketed(host))
        else:
            short = short_names(host, dns_domain)
            domains += (host, f"{host}.", *short)  # with a final dot no search domain is tried
            shortened += short
    if pods_by_name:
        domains += [f"*.{domain}" for domain in domains]
    domains += [_bracketed(address) for address in addresses if "/" not in address]
    return Domains(tuple(domains), shortened)


def _is_address(host: str) -> bool:
    if not (":" in host or host[-1:].isdigit()):
        return False
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _bracketed(host: str) -> str:
    """A host as it stands in an authority: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host
