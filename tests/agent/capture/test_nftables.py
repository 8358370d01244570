from __future__ import annotations

from agent.capture.nftables import (
    OUR_TABLES,
    Entry,
    nftables_entries,
    render_cleanup,
    render_transaction,
    settle,
)
from agent.capture.plan import plan_capture
from agent.capture.rules import Chain, Family, Jump, Return, Rule, Table, TransparentProxy
from agent.capture.settings import CaptureSettings
from tests.kit.capture import capture_settings


def test_rules_without_address_appear_once() -> None:
    """The table serves both families; a rule with an address says of which it is."""
    rules = plan_capture(CaptureSettings(outbound_ranges=("*",), ipv6=True))
    words = [" ".join(entry.words) for entry in nftables_entries(rules)]
    assert words.count("counter jump istio-redirect") == 1
    assert "ip daddr 127.0.0.1/32 counter return" in words
    assert "ip6 daddr ::1/128 counter return" in words


def test_tproxy_names_its_family() -> None:
    """nft cannot guess it in a table of both."""
    rule = Rule(table=Table.MANGLE, chain=Chain.TPROXY, verdict=TransparentProxy(15006, 1337), family=Family.IPV6)
    assert " ".join(nftables_entries([rule])[0].words) == "tproxy ip6 to :15006 meta mark set 1337 counter accept"


def test_excluded_ports_of_both_transports() -> None:
    """As in iptables."""
    entries = nftables_entries(plan_capture(capture_settings(excluded_outbound_ports="9000")))
    words = [" ".join(entry.words) for entry in entries]
    assert "meta l4proto tcp tcp dport 9000 counter return" in words
    assert "meta l4proto udp udp dport 9000 counter return" in words


def test_insertion_beyond_the_end_is_an_addition() -> None:
    """nft refuses a place that is not there."""
    rules = [
        Rule(table=Table.NAT, chain=Chain.PREROUTING, verdict=Return(), at=0),
        Rule(table=Table.NAT, chain=Chain.PREROUTING, verdict=Jump(Chain.REDIRECT), at=0),
    ]
    text = render_transaction(nftables_entries(rules))
    assert "add rule inet istio-proxy-nat prerouting counter return\n" in text
    assert "insert rule inet istio-proxy-nat prerouting index 0 counter jump istio-redirect\n" in text


def test_settle_puts_insertions_in_place() -> None:
    """What a listing shows afterwards."""
    entries = [
        Entry(table="t", chain="c", words=("first",)),
        Entry(table="t", chain="c", words=("second",), index=0),
    ]
    assert settle(entries) == {"t": {"c": (("second",), ("first",))}}


def test_transaction_empties_before_it_fills() -> None:
    """So it may be repeated; chains of the kernel come with their hooks."""
    lines = render_transaction(nftables_entries(plan_capture(CaptureSettings()))).splitlines()
    assert lines[:2] == ["add table inet istio-proxy-nat", "flush table inet istio-proxy-nat"]
    assert lines[2].endswith("output { type nat hook output priority -100 ; }")


def test_cleanup_of_what_is_not_there_does_not_fail() -> None:
    """Each table is made before it is deleted."""
    assert render_cleanup(["x"]) == "add table inet x\ndelete table inet x\n"
    assert render_cleanup().count("delete") == len(OUR_TABLES)
