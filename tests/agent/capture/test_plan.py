from __future__ import annotations

import pytest

from agent.capture.iptables import iptables_lines
from agent.capture.plan import plan_capture
from agent.capture.rules import Chain, Family, Table
from agent.capture.settings import CaptureSettings
from tests.kit.capture import capture_settings


def _rules(settings: CaptureSettings, family: Family = Family.IPV4) -> list[str]:
    return [f"{line.table} {' '.join(line.command)}" for line in iptables_lines(plan_capture(settings), family)]


def _containing(settings: CaptureSettings, word: str) -> list[str]:
    return [rule for rule in _rules(settings) if word in rule]


def test_the_order_of_outbound_rules_is_their_meaning() -> None:
    """Excluded ports, then the proxy's own, then loopback, excluded ranges, included ports, and all the rest."""
    rules = _rules(
        capture_settings(
            excluded_outbound_ports="9000",
            excluded_outbound_ranges="10.1.0.0/16",
            outbound_ports="9001",
            outbound_ranges="*",
        )
    )
    wanted = [
        "nat -A ISTIO_OUTPUT -p tcp --dport 9000 -j RETURN",
        "nat -A ISTIO_OUTPUT -p udp --dport 9000 -j RETURN",
        "nat -A ISTIO_OUTPUT -o lo -s 127.0.0.6/32 -j RETURN",
        "nat -A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN",
        "nat -A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN",
        "nat -A ISTIO_OUTPUT -d 10.1.0.0/16 -j RETURN",
        "nat -A ISTIO_OUTPUT -p tcp --dport 9001 -j ISTIO_REDIRECT",
        "nat -A ISTIO_OUTPUT -j ISTIO_REDIRECT",
    ]
    places = [rules.index(rule) for rule in wanted]
    assert places == sorted(places)
    assert places[-1] == len(rules) - 1


def test_excluded_inbound_ports_come_before_all_others() -> None:
    """And mean nothing where ports are listed."""
    assert _containing(
        capture_settings(inbound_ports="*", excluded_inbound_ports="15020,"), "ISTIO_INBOUND -p tcp"
    ) == [
        "nat -A ISTIO_INBOUND -p tcp --dport 15008 -j RETURN",
        "nat -A ISTIO_INBOUND -p tcp --dport 15020 -j RETURN",
        "nat -A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT",
    ]
    assert not _containing(capture_settings(inbound_ports="80", excluded_inbound_ports="15020"), "15020")


@pytest.mark.parametrize(("mode", "tables"), [("REDIRECT", {"nat"}), ("TPROXY", {"nat", "mangle"})])
def test_excluded_interfaces_are_left_alone_both_ways(mode: str, tables: set[str]) -> None:
    """In each table that captures."""
    rules = _containing(capture_settings(mode=mode, excluded_interfaces="eth7"), "eth7")
    assert {rule.split()[0] for rule in rules} == tables
    assert rules[:2] == ["nat -A PREROUTING -i eth7 -j RETURN", "nat -A OUTPUT -o eth7 -j RETURN"]
    assert len(rules) == 2 * len(tables)


def test_virtual_interfaces_are_captured_before_they_are_left_alone() -> None:
    """The later insertion at the head wins."""
    assert _containing(capture_settings(virtual_interfaces="tap0", outbound_ranges="*"), "tap0") == [
        "nat -I PREROUTING 1 -i tap0 -j RETURN",
        "nat -I PREROUTING 1 -i tap0 -j ISTIO_REDIRECT",
    ]


def test_owner_groups() -> None:
    """Those excluded leave one by one; of a list, all others leave by one rule; an empty list captures nobody."""
    assert _containing(CaptureSettings(excluded_owner_groups=("java", "202")), "gid-owner java") == [
        "nat -A ISTIO_OUTPUT -m owner --gid-owner java -j RETURN"
    ]
    assert _containing(CaptureSettings(owner_groups=("java", "202")), "java") == [
        "nat -A ISTIO_OUTPUT -m owner ! --gid-owner java -m owner ! --gid-owner 202 -j RETURN"
    ]
    assert "nat -A ISTIO_OUTPUT -j RETURN" in _rules(CaptureSettings(owner_groups=()))


def test_invalid_packets_are_dropped_on_request() -> None:
    """In a chain of its own."""
    assert _containing(capture_settings(drop_invalid="1"), "mangle") == [
        "mangle -A PREROUTING -m conntrack --ctstate INVALID -j ISTIO_DROP",
        "mangle -A ISTIO_DROP -j DROP",
    ]


def test_each_range_is_captured_in_its_family_only() -> None:
    """A twin of the other family would be refused."""
    settings = CaptureSettings(outbound_ranges=("2001:db8::/32", "10.0.0.0/8"), ipv6=True)
    assert "nat -A ISTIO_OUTPUT -d 10.0.0.0/8 -j ISTIO_REDIRECT" in _rules(settings)
    assert not [rule for rule in _rules(settings) if "2001" in rule]
    assert "nat -A ISTIO_OUTPUT -d 2001:db8::/32 -j ISTIO_REDIRECT" in _rules(settings, Family.IPV6)
    assert not [rule for rule in _rules(settings, Family.IPV6) if "10.0.0.0" in rule]


def test_capturing_loopback_keeps_applications_apart_no_more() -> None:
    """Otherwise the rule that leaves loopback alone would come first."""
    apart = "nat -A ISTIO_OUTPUT -o lo -m owner ! --uid-owner 1337 -j RETURN"
    assert apart in _rules(capture_settings(outbound_ranges="10.0.0.0/8"))
    assert apart not in _rules(capture_settings(outbound_ranges="127.1.2.3/32"))
    assert apart not in _rules(capture_settings(outbound_ranges="::1/128"))


def test_without_ipv6_no_rule_is_for_it() -> None:
    """The host may lack the tools."""
    assert not [rule for rule in plan_capture(CaptureSettings()) if rule.family is Family.IPV6]


@pytest.mark.parametrize("mode", ["REDIRECT", "TPROXY"])
def test_every_chain_that_is_jumped_to_has_rules(mode: str) -> None:
    """A jump to a chain that is never made would be refused by the kernel, whatever the combination."""
    for dns_servers in ((), ("10.0.0.10",), ("fd00::10",), ("10.0.0.10", "fd00::10")):
        for ipv6 in (False, True):
            settings = capture_settings(mode=mode, inbound_ports="*", outbound_ranges="*", drop_invalid=True)
            settings = _with(settings, dns_servers=dns_servers, redirect_dns=bool(dns_servers), ipv6=ipv6)
            for family in Family if ipv6 else (Family.IPV4,):
                lines = iptables_lines(plan_capture(settings), family)
                made = {(line.table, line.chain) for line in lines}
                targets = {
                    (line.table, line.arguments[-1]) for line in lines if line.arguments[-1].startswith("ISTIO_")
                }
                assert targets <= made


def _with(settings: CaptureSettings, **changes: object) -> CaptureSettings:
    from msgspec.structs import replace

    return replace(settings, **changes)


def test_tproxy_leaves_nat_for_outbound() -> None:
    """Inbound traffic is not rewritten, so nothing in nat's PREROUTING."""
    rules = plan_capture(capture_settings(mode="TPROXY", inbound_ports="*"))
    assert not [rule for rule in rules if rule.table is Table.NAT and rule.chain is Chain.PREROUTING]
