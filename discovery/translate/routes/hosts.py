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
    addresses: tuple[str, ...] = ()
    auto_addresses: tuple[str, ...] = ()
    pods_by_name: bool = False  # headless in Kubernetes: single pods are hosts below its own
    alias_of: str = ""


class HostPort(NamedTuple):
    """A service on one port."""

    facts: HostFacts
    family: ProtocolClass

    @property
    def has_routes(self) -> bool:
        """Whether its traffic is, or may turn out to be, HTTP."""
        return self.family in (ProtocolClass.HTTP, ProtocolClass.AUTO)


class EgressHosts(msgspec.Struct, frozen=True, kw_only=True):
    """The hosts of an egress listener."""

    by_port: Mapping[int, Mapping[str, HostPort]] = {}  # services by host, oldest first
    aliases: Mapping[str, tuple[str, ...]] = {}  # other names of a service (ExternalName), by its host
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
    return HostFacts(
        ref=ref,
        ports=() if alias else tuple((port.number, port.protocol.family) for port in found.ports),
        addresses=found.addresses,
        auto_addresses=found.auto_addresses,
        pods_by_name=found.resolution is Resolution.PASSTHROUGH and found.registry is Registry.KUBERNETES,
        alias_of=found.alias_of,
    )


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
    alias_of: dict[str, str] = {}
    for ref in imports.services:
        facts = _facts(db, ref)
        if facts is None:
            continue
        if facts.alias_of:
            alias_of[ref.host] = facts.alias_of
        for number, family in facts.ports:
            by_port.setdefault(number, {}).setdefault(ref.host, HostPort(facts, family))
    headers = (virtual_service_header(db, key) for key in imports.virtual_services)
    virtual_services = tuple(header for header in headers if header is not None and header.has_http)
    exact, wildcards = _claims(virtual_services)
    patterns = Patterns(wildcards)
    unnamed = (ref.host for ref in imports.services if ref.host not in exact) if patterns else ()
    return EgressHosts(
        by_port=by_port,
        aliases=_aliases(alias_of),
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


def _aliases(alias_of: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Aliases by the host that they stand for in the end; those that lead in a circle stand for nothing."""
    found: dict[str, list[str]] = {}
    for alias in alias_of:
        target, steps = alias_of[alias], 0
        while target in alias_of and steps <= len(alias_of):
            target, steps = alias_of[target], steps + 1
        if target not in alias_of:
            found.setdefault(target, []).append(alias)
    return {target: tuple(sorted(aliases)) for target, aliases in found.items()}
