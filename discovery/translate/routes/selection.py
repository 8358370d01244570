"""Which virtual hosts a route configuration has, and which domains each of them gets.

VirtualServices claim hosts in their order; services that none claims come after them. A domain belongs to the first
that claims it, for Envoy refuses route configurations in which it occurs twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Set
from typing import Any, NamedTuple

import msgspec

from discovery.engine import Database, query
from discovery.mesh.callers import Caller
from discovery.mesh.destination_rules import RuleFinder
from discovery.mesh.scope import outbound_policy
from discovery.mesh.virtual_services import VirtualServiceHeader
from discovery.schema.meta import ObjectKey
from discovery.translate.routes.domains import ClientDomain, Domains, host_domains
from discovery.translate.routes.hosts import EgressHosts, HostPort, ListenerAt, egress_hosts
from discovery.translate.routes.keys import ANY_HOST, CatchAll, RouteScope, ScopedHost, ServiceHost
from discovery.translate.routes.patterns import Patterns
from discovery.translate.routes.virtual_host import (
    catch_all_name,
    catch_all_virtual_host,
    scoped_virtual_host,
    service_virtual_host,
)
from discovery.wire.names import outbound_cluster, virtual_host_name

__all__ = ["DuplicateDomain", "HostRef", "RoutesAt", "duplicate_domains", "route_hosts"]

# The port on which VirtualServices may name hosts that no service declares.
_WEB = 80
_EVERY_HOST = "*"


class RoutesAt(msgspec.Struct, frozen=True, cache_hash=True):
    """A route configuration, as an egress listener and what of it is wanted."""

    scope: RouteScope
    position: int  # of the egress listener
    port: int  # 0: all ports, told apart by the port that clients write behind the host
    host: str = ""  # only this service's, whatever clients write as host


class HostRef(NamedTuple):
    """What renders a virtual host: the bytes without its name, as a function of the database and this key."""

    render: Callable[[Database, Any], bytes]
    key: Hashable


class DuplicateDomain(NamedTuple):
    """A domain that a virtual host did not get because another has it."""

    domain: str
    virtual_host: str
    virtual_service: ObjectKey | None  # that wanted it; None: a service by itself


class _Selected(NamedTuple):
    hosts: Mapping[str, HostRef]
    duplicates: tuple[DuplicateDomain, ...]


@query
def route_hosts(db: Database, at: RoutesAt) -> Mapping[str, HostRef]:
    """The virtual hosts of a route configuration by name, sorted, the one for unknown hosts last."""
    return _selected(db, at).hosts


@query
def duplicate_domains(db: Database, at: RoutesAt) -> tuple[DuplicateDomain, ...]:
    """The domains that were claimed more than once, for status and metrics."""
    return _selected(db, at).duplicates


@query
def _selected(db: Database, at: RoutesAt) -> _Selected:
    hosts = egress_hosts(db, ListenerAt(at.scope.scope, at.position))
    selection = _Selection(db, at, hosts)
    if at.port:
        selection.take(at.port)
    else:
        for port in sorted(hosts.by_port, key=lambda port: (port != _WEB, port)):
            selection.take(port)
    found = dict(sorted(selection.found.items()))
    if not at.host and not selection.takes_unknown_hosts:
        policy = outbound_policy(db, at.scope.scope)
        proxy = policy.egress_proxy
        cluster = ""
        if proxy is not None:
            cluster = outbound_cluster(proxy.host, proxy.port.number if proxy.port is not None else 0, proxy.subset)
        found[catch_all_name(policy.mode)] = HostRef(catch_all_virtual_host, CatchAll(policy.mode, cluster))
    return _Selected(found, tuple(selection.duplicates))


class _Selection:
    """Gathers the virtual hosts of one route configuration, in the order of their claims."""

    def __init__(self, db: Database, at: RoutesAt, hosts: EgressHosts) -> None:
        self.at = at
        self.hosts = hosts
        self.found: dict[str, HostRef] = {}
        self.duplicates: list[DuplicateDomain] = []
        self._claimed: set[str] = set()
        self._rules = RuleFinder(db, at.scope.scope.namespace, at.scope.rule_labels)
        self._patterns = Patterns(hosts.wildcards)
        self._client = ClientDomain.parse(at.scope.dns_domain)

    def take(self, port: int) -> None:
        """All virtual hosts of one port."""
        services = self.hosts.by_port.get(port, {})
        if self.at.host:
            services = {host: service for host, service in services.items() if host == self.at.host}
        free = {host: service for host, service in services.items() if service.has_routes}
        if self.hosts.virtual_services:
            for header, outside, inside in self._claims(port, services):
                for host in outside:
                    self._route(header, host, port, host_domains(host), services.keys())
                for host in inside:
                    free.pop(host, None)
                    self._route(header, host, port, self._domains(services[host]), services.keys())
        for host, service in free.items():
            name = virtual_host_name(host, port)
            domains = self._claim(name, port, self._domains(service), services.keys(), None)
            if domains:
                rule = self._rules.find(service.facts.ref)
                self.found[name] = HostRef(service_virtual_host, ServiceHost(host, port, domains, rule))

    @property
    def takes_unknown_hosts(self) -> bool:
        """Whether a VirtualService for ``*`` has taken the place of the catch-all."""
        return _EVERY_HOST in self._claimed

    # -- virtual services --------------------------------------------------------------------------------------------

    def _claims(
        self, port: int, services: Mapping[str, HostPort]
    ) -> Iterator[tuple[VirtualServiceHeader, Collection[str], Collection[str]]]:
        """Virtual services with routes for this port and caller: with hosts outside and inside of the registry."""
        hosts, scope = self.hosts, self.at.scope
        inside: dict[int, list[str]] = {}
        attached = hosts.exact.keys() | hosts.best_wildcard.keys()  # few, where there are many services
        for host in [host for host in services if host in attached]:
            if services[host].has_routes:
                for position in self._positions(host):
                    inside.setdefault(position, []).append(host)
        covered = {pattern for host in services for pattern in self._patterns.covering(host)} if self._patterns else ()
        caller = Caller(port, scope.scope.namespace, scope.route_labels)
        on_web = self.at.port == _WEB and not self.at.host
        for position in range(len(hosts.virtual_services)) if on_web else sorted(inside):
            header = hosts.virtual_services[position]
            if not header.conditions or header.routes_for(caller):
                outside = () if self.at.host else [h for h in header.hosts if h not in services and h not in covered]
                yield header, outside, inside.get(position, ())

    def _positions(self, host: str) -> Collection[int]:
        """Virtual services that a service is attached to: those that name it, else the one whose wildcard fits best."""
        hosts = self.hosts
        exact = hosts.exact.get(host)
        if exact is not None:
            return exact
        best = hosts.best_wildcard.get(host)
        return () if best is None else (hosts.wildcards[best],)

    def _route(self, header: VirtualServiceHeader, host: str, port: int, wanted: Domains, known: Set[str]) -> None:
        name = virtual_host_name(host, port)
        domains = self._claim(name, port, wanted, known, header.key)
        if domains:
            self.found[name] = HostRef(scoped_virtual_host, ScopedHost(self.at.scope, header.key, port, domains))

    # -- domains -----------------------------------------------------------------------------------------------------

    def _domains(self, service: HostPort) -> Domains:
        facts, auto = service.facts, self.at.scope.auto_addresses
        found = facts.domains.seen_from(self._client, auto_addresses=auto)
        aliases = self.hosts.aliases.get(facts.ref.host) if self.hosts.aliases else None
        for alias in aliases or ():
            more = alias.seen_from(self._client, auto_addresses=auto)
            found = Domains((*found.all, *more.all), (*found.short, *more.short))
        return found

    def _claim(
        self, name: str, port: int, wanted: Domains, known: Set[str], virtual_service: ObjectKey | None
    ) -> tuple[str, ...]:
        """The domains that are left for a virtual host; none: it is left out."""
        if self.at.host:
            return ANY_HOST if name not in self.found else ()
        domains, short = wanted
        if not self.at.port:
            ported = tuple(f"{domain}:{port}" for domain in domains)
            domains = (*domains, *ported) if port == _WEB else ported
        elif name not in self.found and self._claimed.isdisjoint(domains) and known.isdisjoint(short):
            self._claimed.update(domains)
            return domains
        if name in self.found:
            self.duplicates.append(DuplicateDomain(name, name, virtual_service))
            return ()
        left = []
        for domain in domains:
            if domain in self._claimed or (domain in short and domain in known):
                self.duplicates.append(DuplicateDomain(domain, name, virtual_service))
            else:
                self._claimed.add(domain)
                left.append(domain)
        return tuple(left)
