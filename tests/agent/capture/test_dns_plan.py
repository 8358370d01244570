from __future__ import annotations

from agent.capture.dns_plan import plan_dns_redirect, plan_dns_zones
from agent.capture.iptables import iptables_lines
from agent.capture.rules import Chain, Family, Jump
from agent.capture.settings import CaptureSettings


def _settings(*servers: str, every: bool = False, ipv6: bool = True) -> CaptureSettings:
    return CaptureSettings(redirect_dns=True, dns_servers=servers, capture_all_dns=every, ipv6=ipv6)


def test_without_dns_capture_there_is_no_rule() -> None:
    """In neither table."""
    settings = CaptureSettings(dns_servers=("10.0.0.10",))
    assert [*plan_dns_redirect(settings), *plan_dns_zones(settings)] == []


def test_all_servers_by_tcp_then_all_by_udp() -> None:
    """IPv4 first, each in its family."""
    rules = list(plan_dns_redirect(_settings("fd00::10", "10.0.0.10", "10.0.0.11")))
    assert [(rule.chain, rule.family) for rule in rules] == [
        (Chain.ISTIO_OUTPUT, None),
        *[(Chain.OUTPUT_DNS, family) for family in (Family.IPV4, Family.IPV4, Family.IPV6) * 2],
    ]


def test_a_family_without_servers_is_not_sent_to_a_chain_without_rules() -> None:
    """Its restore file would be refused; its owner rules are there all the same."""
    settings = _settings("10.0.0.10")
    jumps = [rule.family for rule in plan_dns_redirect(settings) if isinstance(rule.verdict, Jump)]
    assert jumps == [Family.IPV4]
    zones = iptables_lines(plan_dns_zones(settings), Family.IPV6)
    assert {line.chain for line in zones} == {"OUTPUT", "ISTIO_OUTPUT_DNS"}


def test_any_server_needs_no_address() -> None:
    """One pair of rules serves both families."""
    settings = _settings(every=True)
    lines = [" ".join(line.arguments) for line in iptables_lines(plan_dns_redirect(settings), Family.IPV6)]
    assert lines == [
        "-j ISTIO_OUTPUT_DNS",
        "-p tcp --dport 53 -j REDIRECT --to-ports 15053",
        "-p udp --dport 53 -j REDIRECT --to-port 15053",
    ]
    last = [" ".join(line.arguments) for line in iptables_lines(plan_dns_zones(settings), Family.IPV4)][-2:]
    assert last == ["-p udp --dport 53 -j CT --zone 2", "-p udp --sport 53 -j CT --zone 1"]


def test_the_agents_leg_has_its_own_zone() -> None:
    """What it sends and what comes back to it, for each of its users and groups."""
    zones = [" ".join(line.arguments) for line in iptables_lines(plan_dns_zones(_settings("10.0.0.10")), Family.IPV4)]
    assert zones[1:3] == [
        "-p udp --dport 53 -m owner --uid-owner 1337 -j CT --zone 1",
        "-p udp --sport 15053 -m owner --uid-owner 1337 -j CT --zone 2",
    ]
    assert zones[-1] == "-p udp --sport 53 -s 10.0.0.10/32 -j CT --zone 1"
