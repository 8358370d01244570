"""Selection of outbound listeners: which there are for a view, and what each is made of.

HTTP of all services shares one listener for each port: hosts are told apart by routes, so another service changes
nothing here. Other protocols are told apart by address, and by server name where there is no address.

Spec: https://istio.io/latest/docs/reference/config/networking/sidecar/#IstioEgressListener
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from discovery.engine import Database, query
from discovery.mesh.destination_rules import RuleFinder
from discovery.mesh.endpoints import ServicePort
from discovery.mesh.proxy import OutboundView
from discovery.mesh.scope import EgressListener, egress_listeners
from discovery.mesh.services import service
from discovery.registry.protocol import parse_protocol
from discovery.registry.service import Port, Protocol, ProtocolClass, Registry, Resolution, Service
from discovery.schema.sidecar import CaptureMode, SidecarPort
from discovery.translate.dynamic_dns import family_of_unknown_hosts
from discovery.translate.filters.http import Side
from discovery.translate.filters.inspectors import Inspection
from discovery.translate.listeners.binding import UNIX, is_subnet, localhost, static_ports_of, wildcards
from discovery.translate.listeners.capture import (
    FORWARD_PROXY_ROUTES,
    capture_ports,
    catch_all,
    forward_proxy,
    virtual_outbound,
)
from discovery.translate.listeners.conflicts import Attempt, Conflict, Entry
from discovery.translate.listeners.headless import instance_addresses
from discovery.translate.listeners.layer4 import (
    ChainsFor,
    Layer4Rules,
    ListenerIn,
    layer4_chains,
    plain_chain,
    plain_match,
    rules_for_host,
    rules_of_listener,
)
from discovery.translate.listeners.spec import EVERYTHING, Chain, HttpTarget, ListenerShape, ListenerSpec
from discovery.wire.durations import parse_duration
from discovery.wire.names import listener_name
from discovery.wire.node import InterceptionMode, NodeType

__all__ = ["Selection", "outbound_selection"]

_EVERYWHERE = Inspection()
_PRIVILEGED = 1024
_ORDINARY_HTTP = frozenset({Protocol.HTTP, Protocol.HTTP2, Protocol.GRPC})


class Selection(NamedTuple):
    """The outbound listeners of a view in the order of LDS, and the service ports that got no place."""

    listeners: tuple[ListenerSpec, ...]
    conflicts: tuple[Conflict, ...]


@query
def outbound_selection(db: Database, view: OutboundView) -> Selection:
    """Select the outbound listeners of sidecars."""
    ports = capture_ports(db, None)
    if view.type is not NodeType.SIDECAR or ports.outbound <= 0:
        return Selection((), ())
    selector = _Selector(db, view)
    for position, egress in enumerate(egress_listeners(db, view.scope)):
        selector.take(position, egress)
    more = (forward_proxy(db, view), virtual_outbound(db, view, spared=selector.not_http()))
    return Selection((*selector.finish(), *(spec for spec in more if spec is not None)), tuple(selector.conflicts))


class _Place(NamedTuple):
    """Where listeners of one egress listener go."""

    bind: str  # empty: each service where its protocol and address put it
    captured: bool


class _Selector:
    """Gathers the claims of services, one pass over all of them."""

    def __init__(self, db: Database, view: OutboundView) -> None:
        self.db = db
        self.view = view
        self.wildcards = wildcards(ipv4=view.ipv4, ipv6=view.ipv6)
        self.wildcard = self.wildcards[0]
        ports = capture_ports(db, None)
        self.static = static_ports_of(view.static_ports, (ports.outbound, ports.inbound))
        self.idle_timeout = timedelta(seconds=parse_duration(view.idle_timeout)) if view.idle_timeout else None
        self.dynamic_dns = family_of_unknown_hosts(db, view)
        self.rule_finder = RuleFinder(db, view.scope.namespace, view.rule_labels)
        self.entries: dict[tuple[str, int], Entry] = {}
        self.captured: dict[tuple[str, int], bool] = {}
        self.conflicts: list[Conflict] = []
        self.shapes: dict[tuple[bool, ...], ListenerShape] = {}
        self.rules: tuple[Layer4Rules, ...] = ()

    # -- egress listeners --------------------------------------------------------------------------------------------

    def take(self, position: int, egress: EgressListener) -> None:
        """All services of one egress listener."""
        self.rules = rules_of_listener(self.db, ListenerIn(self.view.scope, position))
        captured = self.view.interception is not InterceptionMode.NONE and egress.capture_mode is not CaptureMode.NONE
        if egress.bind.startswith(UNIX):
            captured = False
        bind = egress.bind or ("" if captured else localhost(ipv4=self.view.ipv4))
        place = _Place(bind, captured)
        if egress.port is None:
            self._catch_all(place, egress)
        else:
            self._one_port(place, egress, egress.port)

    def _one_port(self, place: _Place, egress: EgressListener, written: SidecarPort) -> None:
        number = 0 if place.bind.startswith(UNIX) else written.number
        port = Port(written.name, number, parse_protocol(written.protocol))
        if port.protocol is Protocol.HTTP_PROXY:
            self._claim_http(None, place, port)
            return
        for ref in egress.services:
            found = service(self.db, ref)
            if found is not None:
                self._claim(place, found, port)

    def _catch_all(self, place: _Place, egress: EgressListener) -> None:
        for entry in self.entries.values():
            entry.locked = True
        shared = place.bind or self.wildcard
        entries = self.entries
        for ref in egress.services:
            found = service(self.db, ref)
            if found is None:
                continue
            for port in found.ports:
                if port.protocol in _ORDINARY_HTTP:  # one more host on a port that is there already: nothing to do
                    there = entries.get((shared, port.number))
                    if there is not None and there.http is not None:
                        continue
                self._claim(place, found, port)

    # -- services ----------------------------------------------------------------------------------------------------

    def _claim(self, place: _Place, found: Service, port: Port) -> None:
        """Put one service port where it belongs."""
        family = port.protocol.family
        if family is ProtocolClass.UDP or found.resolution is Resolution.ALIAS:
            return
        if not place.captured and self.view.unprivileged and 0 < port.number < _PRIVILEGED:
            return
        if family is ProtocolClass.HTTP:
            self._claim_http(found, place, port)
            return
        for bind, subnet in self._binds(place, found, port):
            if bind != self.wildcard or port.number not in self.static:
                self._claim_layer4(found, place, port, bind, subnet)

    def _claim_http(self, found: Service | None, place: _Place, port: Port) -> None:
        bind = place.bind or self.wildcard
        if bind == self.wildcard and port.number in self.static:
            return
        if port.protocol is Protocol.HTTP_PROXY and found is None:
            routes = FORWARD_PROXY_ROUTES
        else:
            routes = str(port.number) if port.number else bind
        target = HttpTarget(
            stat_prefix=f"outbound_{listener_name(bind, port.number)};",
            routes=routes,
            grpc_web=port.protocol is Protocol.GRPC_WEB,
            forward_proxy=routes == FORWARD_PROXY_ROUTES,
        )
        attempt = Attempt(found, port.protocol, http=target, sniff=bind == self.wildcard)
        self._enter(bind, port.number, attempt, place)

    def _claim_layer4(self, found: Service, place: _Place, port: Port, bind: str, subnet: str) -> None:
        chains = self._layer4(found, port, at_wildcard=bind == self.wildcard, subnet=subnet)
        target = None
        if port.protocol.family is ProtocolClass.AUTO:
            target = self._sniffed_target(found, bind, port.number)
        attempt = Attempt(found, port.protocol, chains, http=target, sniff=target is not None)
        self._enter(bind, port.number, attempt, place)

    def _layer4(self, found: Service, port: Port, *, at_wildcard: bool, subnet: str) -> tuple[Chain, ...]:
        rule = self.rule_finder.find(found.ref)
        rules = rules_for_host(self.rules, found.ref.host) if self.rules else ()
        if not rules:
            match = plain_match(found, port, at_wildcard=at_wildcard, subnet=subnet)
            return (plain_chain(self.db, found, port, match, rule=rule, idle_timeout=self.idle_timeout),)
        key = ChainsFor(
            service=found.ref,
            port=port,
            at_wildcard=at_wildcard,
            subnet=subnet,
            idle_timeout=self.idle_timeout,
            rules=rules,
            rule=rule,
            scope=self.view.scope,
            labels=self.view.route_labels,
            rule_labels=self.view.rule_labels,
        )
        return layer4_chains(self.db, key)

    def _sniffed_target(self, found: Service, bind: str, port: int) -> HttpTarget:
        """On an address of its own a service needs no other host's routes."""
        if not port:
            routes = bind
        elif bind == self.wildcard:
            routes = str(port)
        else:
            routes = f"{found.ref.host}:{port}"
        return HttpTarget(stat_prefix=f"outbound_{listener_name(bind, port)};", routes=routes)

    def _binds(self, place: _Place, found: Service, port: Port) -> Iterator[tuple[str, str]]:
        """Addresses to listen on for a service that is not HTTP, each with the range to match there, if it is one."""
        addresses = found.addresses or (found.auto_addresses if self.view.dns_auto_allocate else ())
        if place.bind:
            yield place.bind, ""
            return
        if not addresses and found.resolution is Resolution.PASSTHROUGH:
            instances = instance_addresses(self.db, ServicePort(found.ref, port.number))
            yield from ((address, "") for address in instances)
            if instances or found.registry is Registry.KUBERNETES or found.selector:
                return
        for address in addresses or (self.wildcard,):
            yield (self.wildcard, address) if is_subnet(address) else (address, "")

    def _enter(self, bind: str, port: int, attempt: Attempt, place: _Place) -> None:
        key = (bind, port)
        entry = self.entries.get(key)
        if entry is None:
            self.entries[key] = Entry(attempt)
            self.captured[key] = place.captured
            return
        refused = entry.claim(attempt)
        if refused and attempt.service is not None:
            self.conflicts.append(Conflict(bind, port, attempt.service.ref, refused))

    # -- the result --------------------------------------------------------------------------------------------------

    def not_http(self) -> tuple[int, ...]:
        """Ports on which no HTTP is looked for, sorted."""
        return tuple(sorted({port for (_, port), entry in self.entries.items() if entry.http is None and port}))

    def finish(self) -> Iterator[ListenerSpec]:
        """The listeners, in the order in which they were first claimed."""
        rest = Chain(name="PassthroughFilterChain", target=catch_all(self.db, self.view))
        http10 = self.view.http10
        for (bind, port), entry in self.entries.items():
            arranged = _arranged(entry.chains(http10=http10), rest)
            yield ListenerSpec(
                listener_name(bind, port),
                self.wildcards if bind == self.wildcard else (bind,),
                port,
                self._shape(self.captured[bind, port], arranged.by_name, entry.sniffs),
                arranged.chains,
                arranged.default_chain,
            )

    def _shape(self, *has: bool) -> ListenerShape:
        shape = self.shapes.get(has)
        if shape is None:
            captured, by_name, sniffs = has
            shape = self.shapes[has] = ListenerShape(
                side=Side.OUTBOUND,
                captured=captured,
                tls_inspection=_EVERYWHERE if by_name else None,
                http_inspection=_EVERYWHERE if sniffs else None,
                istio=self.view.istio_filters,
                http10=self.view.http10,
                dynamic_dns=self.dynamic_dns,
            )
        return shape


class _Arranged(NamedTuple):
    chains: tuple[Chain, ...]
    default_chain: Chain | None = None
    by_name: bool = False  # some chain matches server names


def _arranged(chains: list[Chain], rest: Chain) -> _Arranged:
    """A chain for everything is the default one, unless it is alone; without one, traffic is let go."""
    if len(chains) == 1 and chains[0].match == EVERYTHING:
        return _Arranged(tuple(chains))
    particular = tuple(chain for chain in chains if chain.match != EVERYTHING)
    general = next((chain for chain in chains if chain.match == EVERYTHING), rest)
    return _Arranged(particular, general, any(chain.match.server_names for chain in particular))
