"""Filter chains of ports that are not HTTP: the service itself, or what ``tls`` and ``tcp`` of VirtualServices say.

Spec: https://istio.io/latest/docs/reference/config/networking/virtual-service/#TLSRoute
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

import msgspec

from discovery.engine import Database, query
from discovery.mesh.destination_rules import PolicyOf, RuleFor, RuleSources, policy_of, rule_sources
from discovery.mesh.proxy import Labels, ScopeKey
from discovery.mesh.scope import InScope, egress_listeners, scope_service
from discovery.mesh.services import service
from discovery.mesh.virtual_services import virtual_service
from discovery.registry.host import host_matches
from discovery.registry.service import Port, Protocol, Service, ServiceRef
from discovery.schema.meta import ObjectKey
from discovery.schema.virtual_service import (
    Destination,
    L4MatchAttributes,
    RouteDestination,
    TCPRoute,
    TLSMatchAttributes,
    TLSRoute,
)
from discovery.translate.listeners.spec import EVERYTHING, Chain, ChainMatch, TcpTarget, Tunnel, WeightedCluster
from discovery.wire.names import outbound_cluster

__all__ = [
    "ChainsFor",
    "Layer4Rules",
    "ListenerIn",
    "layer4_chains",
    "layer4_rules",
    "plain_chain",
    "plain_match",
    "rules_for_host",
    "rules_of_listener",
]

_MESH = "mesh"


class Layer4Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a VirtualService that is about connections."""

    key: ObjectKey
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    tls: tuple[TLSRoute, ...]
    tcp: tuple[TCPRoute, ...]

    def __hash__(self) -> int:
        return hash(self.key)  # routes hold label maps, which do not hash; equality looks at everything


class ListenerIn(NamedTuple):
    """One egress listener of a scope, by position."""

    scope: ScopeKey
    position: int


class ChainsFor(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """What the chains of a service port on one listener depend on, where VirtualServices have a say."""

    service: ServiceRef
    port: Port  # the listener's
    at_wildcard: bool  # the listener cannot tell the service by its address
    subnet: str = ""  # range of addresses that the service has
    idle_timeout: timedelta | None = None  # of the proxy's own making
    rules: tuple[Layer4Rules, ...]
    rule: RuleSources  # DestinationRules in force for the service
    scope: ScopeKey
    labels: Labels = ()  # of the caller, as far as virtual services ask for them
    rule_labels: Labels = ()  # likewise, DestinationRules


@query
def layer4_rules(db: Database, key: ObjectKey) -> Layer4Rules | None:
    """The rules about connections of one VirtualService; None when it has none for sidecars."""
    found = virtual_service(db, key)
    if found is None or not (found.tls or found.tcp):
        return None
    return Layer4Rules(key=key, hosts=found.hosts, gateways=found.gateways, tls=found.tls, tcp=found.tcp)


@query
def rules_of_listener(db: Database, at: ListenerIn) -> tuple[Layer4Rules, ...]:
    """All rules about connections that an egress listener imports, in order of precedence."""
    keys = egress_listeners(db, at.scope)[at.position].virtual_services
    return tuple(rules for key in keys if (rules := layer4_rules(db, key)) is not None)


def rules_for_host(rules: Iterable[Layer4Rules], host: str) -> tuple[Layer4Rules, ...]:
    """Those that name the host, or a wildcard that covers it."""
    return tuple(r for r in rules if any(host_matches(pattern, host) for pattern in r.hosts))


def plain_chain(
    db: Database, service: Service, port: Port, match: ChainMatch, *, rule: RuleSources, idle_timeout: timedelta | None
) -> Chain:
    """The chain to a service itself.

    Args:
        db: read for the rule.
        service: where connections go.
        port: of the listener; the service's own if it has only one.
        match: which connections.
        rule: DestinationRules in force for the service.
        idle_timeout: of the proxy's own making; the rule's wins.
    """
    number = service.ports[0].number if len(service.ports) == 1 else port.number
    cluster = outbound_cluster(service.ref.host, number)
    protocol = Protocol.MONGO if port.protocol is Protocol.MONGO else Protocol.TCP
    target = TcpTarget(cluster, (WeightedCluster(cluster),), protocol, idle_timeout)
    # Without a rule only the mesh's defaults are left, the same for every port.
    options = _tcp_options(db, PolicyOf(rule, number) if rule else _NO_RULE)
    return Chain(target if options is _NO_OPTIONS else _with_options(target, options), match)


def plain_match(service: Service, port: Port, *, at_wildcard: bool, subnet: str) -> ChainMatch:
    """How a service is told from others on its listener: by range, and TLS by name where the address does not tell.

    On an address of its own a service needs no name, and clients without SNI get through.
    """
    if port.protocol.is_tls and (at_wildcard or subnet):
        return ChainMatch(subnets=(subnet,) if subnet else (), server_names=(service.ref.host,))
    return ChainMatch(subnets=(subnet,)) if subnet else EVERYTHING


@query
def layer4_chains(db: Database, key: ChainsFor) -> tuple[Chain, ...]:
    """The chains of one service port on one listener, the most particular first."""
    found = service(db, key.service)
    if found is None:
        return ()
    builder = _Chains(db, key, found)
    return builder.tls() if key.port.protocol.is_tls else builder.tcp()


class _Chains:
    """Builds the chains of one service port."""

    def __init__(self, db: Database, key: ChainsFor, found: Service) -> None:
        self.db = db
        self.key = key
        self.found = found
        self.subnets = (key.subnet,) if key.subnet else ()

    # -- TLS -------------------------------------------------------------------------------------------------------

    def tls(self) -> tuple[Chain, ...]:
        """By server name."""
        chains: dict[ChainMatch, Chain] = {}
        for rules in self.key.rules:
            for route in rules.tls:
                for match in route.match:
                    if self._met(match, rules):
                        names = tuple(sorted({name.lower() for name in match.sni_hosts}))  # as Envoy compares them
                        criteria = ChainMatch(subnets=self._subnets(match), server_names=names)
                        # A second rule for the same connections is out of reach.
                        chains.setdefault(criteria, self._routed(route.route, criteria, rules.key))
        if chains:
            return tuple(chains.values())
        key = self.key
        return (self._plain(plain_match(self.found, key.port, at_wildcard=key.at_wildcard, subnet=key.subnet)),)

    # -- TCP -------------------------------------------------------------------------------------------------------

    def tcp(self) -> tuple[Chain, ...]:
        """By destination subnet, then the first rule for everybody, else the service itself."""
        chains: dict[ChainMatch, Chain] = {}
        for rules in self.key.rules:
            for route in rules.tcp:
                met = [match for match in route.match if self._met(match, rules)]
                if not route.match or any(not self._subnets_asked(match) for match in met):
                    criteria = ChainMatch(subnets=self.subnets)
                    chains.setdefault(criteria, self._routed(route.route, criteria, rules.key))
                    return tuple(chains.values())
                subnets = tuple(sorted({subnet for match in met for subnet in match.destination_subnets}))
                if subnets:
                    criteria = ChainMatch(subnets=subnets)
                    chains.setdefault(criteria, self._routed(route.route, criteria, rules.key))
        rest = ChainMatch(subnets=self.subnets)
        if rest not in chains:
            chains[rest] = self._plain(rest)
        return tuple(chains.values())

    # -- common ----------------------------------------------------------------------------------------------------

    def _met(self, match: TLSMatchAttributes | L4MatchAttributes, rules: Layer4Rules) -> bool:
        """Whether the part of a match that is decided here, not by Envoy, lets this caller in."""
        if _MESH not in (match.gateways or rules.gateways):
            return False
        if match.port not in (0, self.key.port.number):
            return False
        if match.source_namespace not in ("", self.key.scope.namespace):
            return False
        have = dict(self.key.labels)
        return all(have.get(label) == value for label, value in match.source_labels.items())

    def _subnets_asked(self, match: L4MatchAttributes) -> bool:
        return bool(match.destination_subnets) and self.key.port.number > 0  # Unix sockets have no destination

    def _subnets(self, match: TLSMatchAttributes) -> tuple[str, ...]:
        if match.destination_subnets and self.key.port.number > 0:
            return tuple(sorted(match.destination_subnets))
        return self.subnets

    def _plain(self, match: ChainMatch) -> Chain:
        key = self.key
        return plain_chain(self.db, self.found, key.port, match, rule=key.rule, idle_timeout=key.idle_timeout)

    def _routed(self, routes: Sequence[RouteDestination], match: ChainMatch, source: ObjectKey) -> Chain:
        """To the destinations of a rule."""
        clusters = [
            (route.destination, WeightedCluster(self._cluster(route.destination), route.weight))
            for route in routes
            if route.destination is not None and (route.weight > 0 or len(routes) == 1)
        ]
        if len(clusters) != 1:
            named = self._target(tuple(cluster for _, cluster in clusters), f"{source.name}.{source.namespace}")
            return Chain(match=match, target=named, config=source)
        destination, cluster = clusters[0]
        target = self._target((WeightedCluster(cluster.cluster),), cluster.cluster)
        found = self._service(destination.host)
        if found is not None:
            rule = rule_sources(self.db, RuleFor(self.key.scope.namespace, found, self.key.rule_labels))
            port = int(cluster.cluster.split("|")[1])
            target = _with_options(target, _tcp_options(self.db, PolicyOf(rule, port, destination.subset)))
        return Chain(match=match, target=target, config=source)

    def _target(self, clusters: tuple[WeightedCluster, ...], stat_prefix: str) -> TcpTarget:
        return TcpTarget(
            stat_prefix=stat_prefix,
            clusters=clusters,
            protocol=self.key.port.protocol if self.key.port.protocol is Protocol.MONGO else Protocol.TCP,
            idle_timeout=self.key.idle_timeout,
        )

    def _service(self, host: str) -> ServiceRef | None:
        return scope_service(self.db, InScope(self.key.scope, host))

    def _cluster(self, destination: Destination) -> str:
        """Of the port that is named, else the only one the destination has, else the listener's."""
        port = destination.port.number if destination.port is not None else 0
        if not port:
            ref = self._service(destination.host)
            found = service(self.db, ref) if ref is not None else None
            port = found.ports[0].number if found is not None and len(found.ports) == 1 else self.key.port.number
        return outbound_cluster(destination.host, port, destination.subset)


class _TcpOptions(NamedTuple):
    idle_timeout: timedelta | None = None
    max_duration: timedelta | None = None
    hash_source_ip: bool = False
    tunnel: Tunnel | None = None


_NO_OPTIONS = _TcpOptions()
_NO_RULE = PolicyOf((), 0)


@query
def _tcp_options(db: Database, asked: PolicyOf) -> _TcpOptions:
    """What a DestinationRule says about connections of a TCP proxy; a change elsewhere in it stops here."""
    policy = policy_of(db, asked)
    if policy is None:
        return _NO_OPTIONS
    tcp = policy.connection_pool.tcp if policy.connection_pool is not None else None
    consistent = policy.load_balancer.consistent_hash if policy.load_balancer is not None else None
    tunnel = policy.tunnel
    return _TcpOptions(
        idle_timeout=tcp.idle_timeout if tcp is not None else None,
        max_duration=tcp.max_connection_duration if tcp is not None else None,
        hash_source_ip=consistent is not None and bool(consistent.use_source_ip),
        tunnel=Tunnel(tunnel.protocol or "CONNECT", f"{tunnel.target_host}:{tunnel.target_port}") if tunnel else None,
    )


def _with_options(target: TcpTarget, options: _TcpOptions) -> TcpTarget:
    return msgspec.structs.replace(
        target,
        idle_timeout=options.idle_timeout or target.idle_timeout,
        max_duration=options.max_duration,
        hash_source_ip=options.hash_source_ip,
        tunnel=options.tunnel,
    )
