from __future__ import annotations

import pytest

from agent.capture.iptables import Line, iptables_lines, render_arguments, render_commands, render_restore
from agent.capture.rules import (
    Accept,
    Address,
    Chain,
    ConnectionMark,
    Drop,
    Family,
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
    Zone,
)

_TCP = Protocol("tcp")


@pytest.mark.parametrize(
    ("matches", "verdict", "text"),
    [
        ((_TCP, Port("tcp", Way.DESTINATION, (80,))), Return(), "-p tcp --dport 80 -j RETURN"),
        ((Port("udp", Way.SOURCE, (53,)),), Zone(1), "-p udp --sport 53 -j CT --zone 1"),
        ((Port("udp", Way.DESTINATION, (53,)),), Redirect(15053), "-p udp --dport 53 -j REDIRECT --to-port 15053"),
        (
            (_TCP, Port("tcp", Way.DESTINATION, (53, 15008), negated=True)),
            Accept(),
            "-p tcp -m multiport ! --dports 53,15008 -j ACCEPT",
        ),
        ((Address(Way.SOURCE, "10.0.0.0/8", negated=True),), Drop(), "! -s 10.0.0.0/8 -j DROP"),
        ((Owner(OwnerKind.GID, "7", negated=True),), Return(), "-m owner ! --gid-owner 7 -j RETURN"),
        ((Mark(1, negated=True),), SaveMark(), "-m mark ! --mark 1 -j CONNMARK --save-mark"),
        ((ConnectionMark(1),), RestoreMark(), "-m connmark --mark 1 -j CONNMARK --restore-mark"),
        ((State(("INVALID",)),), SetMark(2), "-m conntrack --ctstate INVALID -j MARK --set-mark 2"),
        ((), TransparentProxy(15006, 9), "-j TPROXY --tproxy-mark 9/0xffffffff --on-port 15006"),
    ],
)
def test_words(matches: tuple[Match, ...], verdict: Verdict, text: str) -> None:
    """Matches in their order, then what becomes of the packet."""
    rule = Rule(table=Table.NAT, chain=Chain.OUTPUT, matches=matches, verdict=verdict)
    assert " ".join(render_arguments(rule)) == text


def test_lines_of_a_family() -> None:
    """Rules for both and for that one; places count from one."""
    both = Rule(table=Table.NAT, chain=Chain.OUTPUT, verdict=Return(), at=0)
    other = Rule(table=Table.NAT, chain=Chain.OUTPUT, verdict=Drop(), family=Family.IPV6)
    assert [line.command for line in iptables_lines([both, other], Family.IPV4)] == [
        ("-I", "OUTPUT", "1", "-j", "RETURN")
    ]
    assert len(iptables_lines([both, other], Family.IPV6)) == 2


def test_restore_file_has_tables_by_name_and_new_chains_first() -> None:
    """Only chains that are not the kernel's are made; nothing gives an empty text."""
    lines = [
        Line(table="raw", chain="OUTPUT", arguments=("-j", "ISTIO_X")),
        Line(table="nat", chain="ISTIO_X", arguments=("-j", "RETURN")),
    ]
    assert render_restore(lines) == (
        "* nat\n-N ISTIO_X\n-A ISTIO_X -j RETURN\nCOMMIT\n* raw\n-A OUTPUT -j ISTIO_X\nCOMMIT\n"
    )
    assert render_restore([]) == ""
    assert render_commands(lines)[0] == ("-t", "nat", "-N", "ISTIO_X")
