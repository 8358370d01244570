"""DNS capture as rules: queries go to the agent's port, and connection tracking keeps both legs apart. Pure.

UDP queries of an application and those that the agent forwards may share the source port. In one conntrack zone the
second would look like the first, translated; so the two legs are tracked in zones of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.capture.rules import (
    Address,
    Chain,
    Family,
    Jump,
    Match,
    Owner,
    OwnerKind,
    Port,
    Redirect,
    Rule,
    Table,
    Way,
    Zone,
    family_of,
)
from agent.capture.settings import CaptureSettings

__all__ = ["AGENT_DNS_PORT", "plan_dns_redirect", "plan_dns_zones"]

AGENT_DNS_PORT: Final = 15053
_AGENT_ZONE: Final = 1
_APPLICATION_ZONE: Final = 2


def plan_dns_redirect(settings: CaptureSettings) -> Iterator[Rule]:
    """In nat: queries to the servers of resolv.conf, or to any server, end at the agent."""
    for entered in _entered_families(settings):
        yield Rule(table=Table.NAT, chain=Chain.ISTIO_OUTPUT, verdict=Jump(Chain.OUTPUT_DNS), family=entered)
    for protocol in ("tcp", "udp") if settings.redirect_dns else ():
        for family, server in _servers(settings, Way.DESTINATION):
            yield Rule(
                table=Table.NAT,
                chain=Chain.OUTPUT_DNS,
                matches=(Port(protocol, Way.DESTINATION, (53,)), *server),
                verdict=Redirect(AGENT_DNS_PORT),
                family=family,
            )


def plan_dns_zones(settings: CaptureSettings) -> Iterator[Rule]:
    """In raw: the agent's leg in one zone, the application's in another."""
    if not settings.redirect_dns:
        return
    yield Rule(table=Table.RAW, chain=Chain.OUTPUT, verdict=Jump(Chain.OUTPUT_DNS))
    owners = [Owner(OwnerKind.UID, uid) for uid in settings.uids] + [Owner(OwnerKind.GID, gid) for gid in settings.gids]
    for owner in owners:
        yield _zone(Chain.OUTPUT_DNS, (Port("udp", Way.DESTINATION, (53,)), owner), _AGENT_ZONE)
        yield _zone(Chain.OUTPUT_DNS, (Port("udp", Way.SOURCE, (AGENT_DNS_PORT,)), owner), _APPLICATION_ZONE)
    for entered in _entered_families(settings):
        yield Rule(table=Table.RAW, chain=Chain.PREROUTING, verdict=Jump(Chain.INBOUND), family=entered)
    to, back = _servers(settings, Way.DESTINATION), _servers(settings, Way.SOURCE)
    for (family, server), (_, sender) in zip(to, back, strict=True):
        yield _zone(Chain.OUTPUT_DNS, (Port("udp", Way.DESTINATION, (53,)), *server), _APPLICATION_ZONE, family)
        yield _zone(Chain.INBOUND, (Port("udp", Way.SOURCE, (53,)), *sender), _AGENT_ZONE, family)


def _zone(chain: Chain, matches: tuple[Match, ...], number: int, family: Family | None = None) -> Rule:
    return Rule(table=Table.RAW, chain=chain, matches=matches, verdict=Zone(number), family=family)


def _entered_families(settings: CaptureSettings) -> tuple[Family | None, ...]:
    """The families whose chains have rules for servers: a jump to a chain that is not there would be refused."""
    if not settings.redirect_dns:
        return ()
    if settings.capture_all_dns:
        return (None,)
    families = {family_of(server) for server in settings.dns_servers}
    if len(families) == 2 and settings.ipv6:
        return (None,)
    return tuple(sorted(families))


def _servers(settings: CaptureSettings, way: Way) -> list[tuple[Family | None, tuple[Match, ...]]]:
    """A match for each server, those of IPv4 first; one empty match for all of them."""
    if settings.capture_all_dns:
        return [(None, ())]
    ordered = sorted(settings.dns_servers, key=lambda server: family_of(server) is Family.IPV6)
    return [(family_of(server), (Address(way, f"{server}/{_BITS[family_of(server)]}"),)) for server in ordered]


_BITS: Final = {Family.IPV4: 32, Family.IPV6: 128}
