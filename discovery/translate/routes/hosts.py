"""What an egress listener imports, arranged by host: services on each port, and the VirtualServices that claim them.

Scopes that import the same share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from discovery.engine import Database, query
from discovery.mesh.proxy import ScopeKey
from discovery.mesh.scope import egress_listeners
from discovery.mesh.services import service
from discovery.mesh.virtual_services import VirtualServiceHeader, virtual_service_header
from discovery.registry.host import is_wildcard
from discovery.registry.service import ProtocolClass, Registry, Resolution, ServiceRef
from discovery.schema.meta import ObjectKey
from discovery.translate.routes.domains import ServiceDomains, service_domains
from discovery.translate.routes.patterns import Patterns

__all__ = ["EgressHosts", "HostFacts", "HostPort", "ListenerAt", "egress_hosts"]


class ListenerAt(NamedTuple):
    """An egress listener of a scope, by position."""

    scope: ScopeKey
    position: int


class HostFacts(msgspec.Struct, frozen=True):
    """What routes need of a service; most changes of a service stop here."""

    ref: ServiceRef
    ports: tuple[tuple[int, ProtocolClass], ...]
    domains: ServiceDomains
    alias_of: str = ""


class HostPort(NamedTuple):
    """A service on one port."""

    facts: HostFacts
    family: ProtocolClass
    has_routes: bool  # its traffic is, or may turn out to be, HTTP


class EgressHosts(msgspec.Struct, frozen=True, kw_only=True):
    """The hosts of an egress listener."""

    by_port: Mapping[int, Mapping[str, HostPort]] = {}  # services by host, oldest first
    aliases: Mapping[str, tuple[ServiceDomains, ...]] = {}  # other names of a service (ExternalName), by its host
    virtual_services: tuple[VirtualServiceHeader, ...] = ()  # with HTTP routes, in the order in which they claim
    exact: Mapping[str, tuple[int, ...]] = {}  # positions of virtual services that name a host as such
    wildcards: Mapping[str, int] = {}  # position of the oldest virtual service that has a wildcard
    best_wildcard: Mapping[str, str] = {}  # the wildcard that fits a service best, where nobody names it as such


@query
def _facts(db: Database, ref: ServiceRef) -> HostFacts | None:
    found = service(db, ref)
    if found is None:
        return None
    alias = found.resolution is Resolution.ALIAS
    domains = service_domains(
        ref.host,
        addresses=found.addresses,
        auto_addresses=found.auto_addresses,
        pods_by_name=found.resolution is Resolution.PASSTHROUGH and found.registry is Registry.KUBERNETES,
    )
    ports = () if alias else tuple((port.number, port.protocol.family) for port in found.ports)
    return HostFacts(ref, ports, domains, found.alias_of)


class _Imports(NamedTuple):
    services: tuple[ServiceRef, ...]
    virtual_services: tuple[ObjectKey, ...]


@query
def egress_hosts(db: Database, at: ListenerAt) -> EgressHosts:
    """The hosts that an egress listener imports; nothing where there is no such listener."""
    listeners = egress_listeners(db, at.scope)
    if at.position >= len(listeners):
        return EgressHosts()
    listener = listeners[at.position]
    return _arranged(db, _Imports(listener.services, listener.virtual_services))


@query
def _arranged(db: Database, imports: _Imports) -> EgressHosts:
    by_port: dict[int, dict[str, HostPort]] = {}
    aliases: dict[str, HostFacts] = {}
    for ref in imports.services:
        facts = _facts(db, ref)
        if facts is None:
            continue
        if facts.alias_of:
            aliases[ref.host] = facts
        for number, family in facts.ports:
            here = HostPort(facts, family, family is ProtocolClass.HTTP or family is ProtocolClass.AUTO)
            by_port.setdefault(number, {}).setdefault(ref.host, here)
    headers = (virtual_service_header(db, key) for key in imports.virtual_services)
    virtual_services = tuple(header for header in headers if header is not None and header.has_http)
    exact, wildcards = _claims(virtual_services)
    patterns = Patterns(wildcards)
    unnamed = (ref.host for ref in imports.services if ref.host not in exact) if patterns else ()
    return EgressHosts(
        by_port=by_port,
        aliases=_by_target(aliases),
        virtual_services=virtual_services,
        exact=exact,
        wildcards=wildcards,
        best_wildcard={host: best for host in unnamed if (best := patterns.best(host)) is not None},
    )


def _claims(virtual_services: Iterable[VirtualServiceHeader]) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """Which virtual services name a host as such, and the oldest that has each wildcard."""
    exact: dict[str, list[int]] = {}
    oldest: dict[str, tuple[tuple[datetime, str, str], int]] = {}
    for position, header in enumerate(virtual_services):
        for host in header.hosts:
            if is_wildcard(host):
                claim = (header.age, position)
                oldest[host] = min(oldest.get(host, claim), claim)
            else:
                exact.setdefault(host, []).append(position)
    return (
        {host: tuple(positions) for host, positions in exact.items()},
        {pattern: position for pattern, (_, position) in oldest.items()},
    )


def _by_target(aliases: Mapping[str, HostFacts]) -> dict[str, tuple[ServiceDomains, ...]]:
    """Aliases by the host that they stand for in the end; those that lead in a circle stand for nothing."""
    found: dict[str, list[ServiceDomains]] = {}
    for host in sorted(aliases):
        target, steps = aliases[host].alias_of, 0
        while target in aliases and steps <= len(aliases):
            target, steps = aliases[target].alias_of, steps + 1
        if target not in aliases:
            found.setdefault(target, []).append(aliases[host].domains)
    return {target: tuple(domains) for target, domains in found.items()}
