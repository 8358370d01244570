"""What capture does, as rules: settings in, an ordered plan out. Pure.

The order is the meaning. Excluded interfaces come first, excluded ports before the rules that turn traffic of the proxy
around, excluded ranges before included ports, and the catch-all last. A rule with an address has a twin in the other
family; a rule without one serves both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.capture.dns_plan import plan_dns_redirect, plan_dns_zones
from agent.capture.rules import (
    LOOPBACK,
    Accept,
    Address,
    Chain,
    ConnectionMark,
    Drop,
    Family,
    Interface,
    Jump,
    Mark,
    Match,
    Owner,
    OwnerKind,
    Port,
    Protocol,
    Redirect,
    RestoreMark,
    Return,
    Rule,
    SaveMark,
    SetMark,
    State,
    Table,
    TransparentProxy,
    Verdict,
    Way,
    family_of,
)
from agent.capture.settings import OUTBOUND_MARK, CaptureSettings, Mode

__all__ = ["plan_capture"]

_PASSTHROUGH: Final = {Family.IPV4: "127.0.0.6/32", Family.IPV6: "::6/128"}
_TCP: Final = Protocol("tcp")
_IN_LO: Final = Interface(Way.SOURCE, LOOPBACK)
_OUT_LO: Final = Interface(Way.DESTINATION, LOOPBACK)


def plan_capture(settings: CaptureSettings) -> tuple[Rule, ...]:
    """The rules in the order in which they are to be made; those for IPv6 only where it is in use."""
    parts = (
        _excluded_interfaces(settings),
        _virtual_interfaces(settings, verdict=Return()),
        _drop_invalid(settings),
        _base(settings),
        _inbound(settings),
        _outbound_head(settings),
        _proxy_owner(settings),
        _owner_groups(settings),
        plan_dns_redirect(settings),
        _outbound_tail(settings),
        _outbound_ranges(settings),
        _transparent(settings),
        plan_dns_zones(settings),
    )
    return tuple(rule for part in parts for rule in part if settings.ipv6 or rule.family is not Family.IPV6)


def _nat(chain: Chain, *matches: Match, verdict: Verdict, family: Family | None = None) -> Rule:
    return Rule(table=Table.NAT, chain=chain, matches=matches, verdict=verdict, family=family)


def _mangle(chain: Chain, *matches: Match, verdict: Verdict, family: Family | None = None) -> Rule:
    return Rule(table=Table.MANGLE, chain=chain, matches=matches, verdict=verdict, family=family)


def _to_port(port: int, *, protocol: str = "tcp") -> Port:
    return Port(protocol, Way.DESTINATION, (port,))


def _loopback(settings: CaptureSettings) -> Iterator[tuple[Family, str]]:
    yield Family.IPV4, settings.loopback_cidr
    yield Family.IPV6, "::1/128"


def _excluded_interfaces(settings: CaptureSettings) -> Iterator[Rule]:
    for table in (Table.NAT, Table.MANGLE) if settings.mode is Mode.TPROXY else (Table.NAT,):
        for name in settings.excluded_interfaces:
            for chain, way in ((Chain.PREROUTING, Way.SOURCE), (Chain.OUTPUT, Way.DESTINATION)):
                yield Rule(table=table, chain=chain, matches=(Interface(way, name),), verdict=Return())


def _virtual_interfaces(
    settings: CaptureSettings, *matches: Match, verdict: Verdict, family: Family | None = None
) -> Iterator[Rule]:
    """What virtual machines of this pod send: alone it is left alone, later rules that capture it go before that."""
    for name in settings.virtual_interfaces:
        yield Rule(
            table=Table.NAT,
            chain=Chain.PREROUTING,
            matches=(Interface(Way.SOURCE, name), *matches),
            verdict=verdict,
            family=family,
            at=0,
        )


def _drop_invalid(settings: CaptureSettings) -> Iterator[Rule]:
    if settings.drop_invalid:
        yield _mangle(Chain.PREROUTING, State(("INVALID",)), verdict=Jump(Chain.DROP))
        yield _mangle(Chain.DROP, verdict=Drop())


def _base(settings: CaptureSettings) -> Iterator[Rule]:
    yield _nat(Chain.INBOUND, _TCP, _to_port(settings.tunnel_port), verdict=Return())
    yield _nat(Chain.REDIRECT, _TCP, verdict=Redirect(settings.outbound_port))
    yield _nat(Chain.IN_REDIRECT, _TCP, verdict=Redirect(settings.inbound_port))


def _inbound(settings: CaptureSettings) -> Iterator[Rule]:
    ports = settings.inbound_ports
    if not ports:
        return
    transparent = settings.mode is Mode.TPROXY
    table = Table.MANGLE if transparent else Table.NAT
    if transparent:
        yield from _transparent_chains(settings)
    yield Rule(table=table, chain=Chain.PREROUTING, matches=(_TCP,), verdict=Jump(Chain.INBOUND))
    wanted: list[tuple[Match, ...]] = [(_TCP, _to_port(int(port))) for port in ports if port != "*"]
    if "*" in ports:
        wanted = [(_TCP,)]
        for port in settings.excluded_inbound_ports:
            yield Rule(table=table, chain=Chain.INBOUND, matches=(_TCP, _to_port(port)), verdict=Return())
    for matches in wanted:
        if transparent:
            known = (*matches, State(("RELATED", "ESTABLISHED")))
            yield Rule(table=table, chain=Chain.INBOUND, matches=known, verdict=Jump(Chain.DIVERT))
        target = Chain.TPROXY if transparent else Chain.IN_REDIRECT
        yield Rule(table=table, chain=Chain.INBOUND, matches=matches, verdict=Jump(target))


def _transparent_chains(settings: CaptureSettings) -> Iterator[Rule]:
    yield _mangle(Chain.DIVERT, verdict=SetMark(settings.tproxy_mark))
    yield _mangle(Chain.DIVERT, verdict=Accept())
    for family, cidr in _loopback(settings):
        yield _mangle(
            Chain.TPROXY,
            Address(Way.DESTINATION, cidr, negated=True),
            _TCP,
            verdict=TransparentProxy(settings.inbound_port, settings.tproxy_mark),
            family=family,
        )


def _outbound_head(settings: CaptureSettings) -> Iterator[Rule]:
    yield _nat(Chain.OUTPUT, verdict=Jump(Chain.ISTIO_OUTPUT))
    for port in settings.excluded_outbound_ports:
        for protocol in ("tcp", "udp"):
            yield _nat(Chain.ISTIO_OUTPUT, Protocol(protocol), _to_port(port, protocol=protocol), verdict=Return())
    # Envoy's inbound passthrough binds to these addresses, so that its calls to the application can be told apart.
    for family, cidr in _PASSTHROUGH.items():
        yield _nat(Chain.ISTIO_OUTPUT, _OUT_LO, Address(Way.SOURCE, cidr), verdict=Return(), family=family)


def _proxy_owner(settings: CaptureSettings) -> Iterator[Rule]:
    """For each user and group of the proxy: calls to itself, calls beside it, and its own calls."""
    owners = [Owner(OwnerKind.UID, uid) for uid in settings.uids] + [Owner(OwnerKind.GID, gid) for gid in settings.gids]
    captures_loopback = any(_is_loopback(cidr) for cidr in settings.outbound_ranges)
    for owner in owners:
        # The application called itself by its service: Envoy's outbound side calls its inbound side. DNS over TCP from
        # the agent must reach the server in resolv.conf, which may be on loopback; for groups Istio has no such rule.
        dns = settings.redirect_dns and owner.kind is OwnerKind.UID
        kept = (53, settings.tunnel_port) if dns else (settings.tunnel_port,)
        for family, cidr in _loopback(settings):
            yield _nat(
                Chain.ISTIO_OUTPUT,
                _OUT_LO,
                Address(Way.DESTINATION, cidr, negated=True),
                _TCP,
                Port("tcp", Way.DESTINATION, kept, negated=True),
                owner,
                verdict=Jump(Chain.IN_REDIRECT),
                family=family,
            )
        if not captures_loopback:
            # One application to another over loopback.
            stranger = Owner(owner.kind, owner.name, negated=True)
            dns_apart: tuple[Match, ...] = (_TCP, Port("tcp", Way.DESTINATION, (53,), negated=True))
            between = dns_apart if settings.redirect_dns else ()
            yield _nat(Chain.ISTIO_OUTPUT, _OUT_LO, *between, stranger, verdict=Return())
        yield _nat(Chain.ISTIO_OUTPUT, owner, verdict=Return())  # what the proxy sends is never captured again


def _is_loopback(cidr: str) -> bool:
    return cidr.startswith("127.") or cidr.partition("/")[0] == "::1"


def _owner_groups(settings: CaptureSettings) -> Iterator[Rule]:
    if "*" in settings.owner_groups:
        for group in settings.excluded_owner_groups:
            yield _nat(Chain.ISTIO_OUTPUT, Owner(OwnerKind.GID, group), verdict=Return())
        return
    others = (Owner(OwnerKind.GID, group, negated=True) for group in settings.owner_groups)
    yield _nat(Chain.ISTIO_OUTPUT, *others, verdict=Return())


def _outbound_tail(settings: CaptureSettings) -> Iterator[Rule]:
    for family, cidr in _loopback(settings):
        yield _nat(Chain.ISTIO_OUTPUT, Address(Way.DESTINATION, cidr), verdict=Return(), family=family)
    for cidr in _by_family(settings.excluded_outbound_ranges):
        yield _nat(Chain.ISTIO_OUTPUT, Address(Way.DESTINATION, cidr), verdict=Return(), family=family_of(cidr))
    for port in settings.outbound_ports:
        yield _nat(Chain.ISTIO_OUTPUT, _TCP, _to_port(port), verdict=Jump(Chain.REDIRECT))


def _by_family(cidrs: tuple[str, ...]) -> list[str]:
    return sorted(cidrs, key=lambda cidr: family_of(cidr) is Family.IPV6)


def _outbound_ranges(settings: CaptureSettings) -> Iterator[Rule]:
    capture = Jump(Chain.REDIRECT)
    if "*" in settings.outbound_ranges:
        yield _nat(Chain.ISTIO_OUTPUT, verdict=capture)
        yield from _virtual_interfaces(settings, verdict=capture)
        return
    for cidr in _by_family(settings.outbound_ranges):
        there, family = Address(Way.DESTINATION, cidr), family_of(cidr)
        yield from _virtual_interfaces(settings, there, verdict=capture, family=family)
        yield _nat(Chain.ISTIO_OUTPUT, there, verdict=capture, family=family)


def _transparent(settings: CaptureSettings) -> Iterator[Rule]:
    if settings.mode is not Mode.TPROXY:
        return
    marked = Mark(settings.tproxy_mark)
    # Envoy marks what it sends to the application with the client's address; the answers must come back to Envoy.
    yield _mangle(Chain.PREROUTING, _TCP, marked, verdict=SaveMark())
    yield _mangle(Chain.OUTPUT, _TCP, _OUT_LO, marked, verdict=Return())
    owners = [Owner(OwnerKind.UID, uid) for uid in settings.uids] + [Owner(OwnerKind.GID, gid) for gid in settings.gids]
    for owner in owners:
        for family, cidr in _loopback(settings):
            elsewhere = Address(Way.DESTINATION, cidr, negated=True)
            yield _mangle(Chain.OUTPUT, elsewhere, _TCP, _OUT_LO, owner, verdict=SetMark(OUTBOUND_MARK), family=family)
    yield _mangle(Chain.OUTPUT, _TCP, ConnectionMark(settings.tproxy_mark), verdict=RestoreMark())
    yield from _transparent_exceptions(marked)


def _transparent_exceptions(marked: Mark) -> Iterator[Rule]:
    """At the head of the inbound chain: what came from the proxy itself, and applications that call each other."""
    inbound: list[tuple[int, Family | None, tuple[Match, ...]]] = [(0, None, (_TCP, marked))]
    inbound += [(1, family, (_TCP, Address(Way.SOURCE, cidr), _IN_LO)) for family, cidr in _PASSTHROUGH.items()]
    inbound.append((2, None, (_TCP, _IN_LO, Mark(OUTBOUND_MARK, negated=True))))
    for at, family, matches in inbound:
        yield Rule(table=Table.MANGLE, chain=Chain.INBOUND, matches=matches, verdict=Return(), family=family, at=at)
