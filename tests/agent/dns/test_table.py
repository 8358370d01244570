"""Which names are known, in which forms, and which wildcard a name falls under."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dns.messages import parse_query, wire_name
from agent.dns.name_table import NameInfo
from agent.dns.table import Found, Missing, Place, Table, build_table
from tests.kit.dns_proxy import PLACE
from tests.kit.fake_resolver import question


def kubernetes(short: str, namespace: str, *ips: str, domain: str = "svc.cluster.local") -> NameInfo:
    return NameInfo(f"{short}.{namespace}.{domain}", ips or ("10.0.0.1",), "Kubernetes", short, namespace)


def external(host: str, *ips: str) -> NameInfo:
    return NameInfo(host, ips or ("10.0.0.9",), "External")


def ask(table: Table, name: str) -> Found | Missing:
    query = parse_query(question(name).to_wire())
    return table.lookup(query.name, query.labels)


def known(entries: Iterable[NameInfo], name: str, place: Place = PLACE) -> str:
    """`10.0.0.1`, `alias -> 10.0.0.1`, or why not."""
    found = ask(build_table(entries, place), name)
    if isinstance(found, Missing):
        return found.value
    alias = b".".join(found.alias.split()) if found.alias else b""
    address = ".".join(str(byte) for byte in found.addresses.v4[0])
    return f"{alias!r} -> {address}" if alias else address


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web.ns1.svc.cluster.local.", "10.0.0.1"),
        ("WEB.ns1.svc.Cluster.local.", "10.0.0.1"),
        ("web.", "10.0.0.1"),
        ("web.ns1.", "10.0.0.1"),
        ("web.ns1.svc.", "10.0.0.1"),
        ("other.ns2.", "10.0.0.2"),
        ("other.ns2.svc.", "10.0.0.2"),
        ("other.", "unknown"),
        ("web.svc.", "unknown"),
        ("svc.", "unknown"),
        (".", "unknown"),
        ("db-0.db.", "10.0.0.3"),
        ("db-0.db.ns1.", "10.0.0.3"),
        ("db-0.db.ns1.svc.", "10.0.0.3"),
        ("web.ns1.svc.cluster.local.example.", "unknown"),
    ],
)
def test_kubernetes_names_are_known_in_short(name: str, expected: str) -> None:
    """With namespace, with `svc`, and bare in the proxy's own namespace."""
    entries = [
        kubernetes("web", "ns1"),
        kubernetes("other", "ns2", "10.0.0.2"),
        kubernetes("db-0.db", "ns1", "10.0.0.3"),
    ]
    assert known(entries, name) == expected


def test_names_of_another_domain_stay_long() -> None:
    """Short forms are short for the proxy's own domain; names of other registries have none."""
    entries = [kubernetes("far", "ns1", domain="svc.cluster.remote"), external("out.ns1.svc.cluster.local")]
    for name in ("far.", "far.ns1.", "out.", "out.ns1."):
        assert known(entries, name) == "unknown"
    assert known(entries, "far.ns1.svc.cluster.remote.") == "10.0.0.1"
    assert known(entries, "out.ns1.svc.cluster.local.") == "10.0.0.9"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("out.example.ns1.svc.cluster.local.", r"b'\x03out\x07example\x00' -> 10.0.0.9"),
        ("web.ns2.ns1.svc.cluster.local.", r"b'\x03web\x03ns2\x00' -> 10.0.0.1"),
        (
            "web.ns2.svc.cluster.local.ns1.svc.cluster.local.",
            r"b'\x03web\x03ns2\x03svc\x07cluster\x05local\x00' -> 10.0.0.1",
        ),
        ("own.ns1.svc.cluster.local.", "10.0.0.2"),
        ("own.ns1.svc.cluster.local.ns1.svc.cluster.local.", "impossible"),
        ("own.ns1.svc.cluster.local.svc.cluster.local.", "impossible"),
        ("own.ns1.svc.cluster.local.cluster.local.", "impossible"),
        ("out.example.svc.cluster.local.", "unknown"),
        ("xns1.svc.cluster.local.", "unknown"),
        ("ns1.svc.cluster.local.", "unknown"),
    ],
)
def test_search_domains_are_undone(name: str, expected: str) -> None:
    """Behind the first one any name is another name for itself; a full name behind any other cannot exist."""
    entries = [external("out.example"), kubernetes("web", "ns2"), kubernetes("own", "ns1", "10.0.0.2")]
    assert known(entries, name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.wild.", "10.0.0.1"),
        ("a.b.c.wild.", "10.0.0.1"),
        ("a.b.wild.", "10.0.0.2"),
        ("exact.b.wild.", "10.0.0.3"),
        ("wild.", "unknown"),
        ("b.wild.", "10.0.0.1"),
        ("*.wild.", "10.0.0.1"),
        ("awild.", "unknown"),
        ("a.wild.ns1.svc.cluster.local.", r"b'\x01*\x04wild\x00' -> 10.0.0.1"),
        ("a.b.wild.ns1.svc.cluster.local.", r"b'\x01*\x01b\x04wild\x00' -> 10.0.0.2"),
    ],
)
def test_the_longest_wildcard_wins(name: str, expected: str) -> None:
    """At any depth, also behind the first search domain; a name of its own goes before."""
    entries = [external("*.wild", "10.0.0.1"), external("*.b.wild", "10.0.0.2"), external("exact.b.wild", "10.0.0.3")]
    assert known(entries, name) == expected


def test_without_a_place_only_full_names_are_known() -> None:
    """A virtual machine may have neither namespace nor search domains."""
    for place in (Place(), Place.of("", ""), Place("ns1", "", ("bad..domain", "."))):
        assert known([kubernetes("web", "ns1")], "web.ns1.svc.cluster.local.", place) == "10.0.0.1"
        assert known([kubernetes("web", "ns1")], "web.", place) == "unknown"


def test_addresses_are_of_two_families() -> None:
    """What is no address is skipped, and a name that has no other is not known at all."""
    table = build_table(
        [external("a", "10.0.0.0/8", "1.1.1.1", "fd00::1", "1.1.1"), external("b", "c"), NameInfo("c")], PLACE
    )
    found = ask(table, "a.")
    assert isinstance(found, Found)
    assert found.addresses == ((bytes((1, 1, 1, 1)),), (bytes((0xFD,)) + bytes(14) + b"\1",), False, ())
    assert ask(table, "b.") is ask(table, "c.") is Missing.UNKNOWN
    assert len(table) == 1


def test_further_hosts_and_odd_short_names_are_taken_at_their_word() -> None:
    """They do not follow from the full name, so they are held."""
    odd = NameInfo(
        "web-v2.ns1.svc.cluster.local", ("10.0.0.1",), "Kubernetes", "web", "ns1", ("web.ns1.svc.clusterset.local",)
    )
    for name in ("web.", "web.ns1.", "web.ns1.svc.", "web.ns1.svc.clusterset.local.", "web-v2.ns1.svc.cluster.local."):
        assert known([odd], name) == "10.0.0.1"
    assert known([odd], "web-v2.") == "unknown"
    taken = kubernetes("web", "ns1", "10.0.0.7")
    assert known([taken, odd._replace(alt_hosts=(taken.host,))], "web.ns1.svc.cluster.local.") == "10.0.0.7"


@given(st.binary(max_size=60))
def test_any_name_is_looked_up(data: bytes) -> None:
    """Names are bytes of strangers; none of them breaks a lookup."""
    table = build_table([kubernetes("web", "ns1"), external("*.wild")], PLACE)
    wire = b"".join(bytes((len(part),)) + part for part in data.split(b"\0") if part)
    labels = []
    at = 0
    while at < len(wire):
        labels.append(at)
        at += wire[at] + 1
    assert isinstance(table.lookup(wire + b"\0", tuple(labels)), Found | Missing)


def test_all_names_are_listed() -> None:
    """As a person would write them, without those behind search domains."""
    table = build_table([kubernetes("web", "ns1"), kubernetes("db", "ns2"), external("*.wild")], PLACE)
    assert sorted(name for name, _ in table.names()) == [
        "*.wild.", "db.ns2.", "db.ns2.svc.", "db.ns2.svc.cluster.local.",
        "web.", "web.ns1.", "web.ns1.svc.", "web.ns1.svc.cluster.local.",
    ]  # fmt: skip
    for name, addresses in table.names():
        found = ask(table, name)
        assert isinstance(found, Found)
        assert found.addresses == addresses


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("web.", "web.ns1.svc.cluster.local"),
        ("web.ns1.svc.", "web.ns1.svc.cluster.local"),
        ("web.ns1.svc.cluster.local.", "web.ns1.svc.cluster.local"),
        ("out.", "out"),
        ("a.wild.", "a.wild"),
    ],
)
def test_a_known_name_in_full(name: str, full: str) -> None:
    """What others would understand it by; what is not short stays as it is."""
    table = build_table([kubernetes("web", "ns1"), external("out"), external("*.wild")], PLACE)
    query = parse_query(question(name).to_wire())
    assert table.full_name(query.name) == wire_name(full)
    assert (table.exact(query.name) is not None) == (name in {"web.ns1.svc.cluster.local.", "out."})
