"""What is answered here, what is asked elsewhere, and what is answered to nobody."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dns.metrics import DnsMetrics
from agent.dns.name_table import NameInfo
from agent.dns.resolver import Forward, Resolver
from agent.dns.table import build_table
from discovery.wire.name_table import NamedPort
from tests.kit.dns_proxy import PLACE
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_resolver import address_reply, nxdomain, question

ENTRIES = (
    NameInfo("four.example", ("1.1.1.1", "1.1.1.2", "1.1.1.3"), "External"),
    NameInfo("srv.example", ("1.1.2.1",), "External", ports=(NamedPort("http", 80),)),
    NameInfo(
        "pods.example",
        ("1.1.3.1", "1.1.3.2"),
        "External",
        ports=(NamedPort("http", 80, targets=("pod-1.example", "pod-2.example")),),
    ),
    NameInfo("six.example", ("fd00::1",), "External"),
    NameInfo("web.ns1.svc.cluster.local", ("10.0.0.1",), "Kubernetes", "web", "ns1"),
    NameInfo("many.example", tuple(f"10.1.{n // 250}.{n % 250}" for n in range(500)), "External"),
)


def resolver(*, chance: float = 0.0, needs_table: bool = True, table: bool = True) -> Resolver:
    clock = FakeClock()
    made = Resolver(DnsMetrics(), monotonic=clock.monotonic, chance=lambda: chance, needs_table=needs_table)
    if table:
        made.table = build_table(ENTRIES, PLACE)
    return made


def answer(made: Resolver, name: str, kind: str = "A", *, tcp: bool = False, edns: int = 0) -> dns.message.Message:
    verdict = made.judge(question(name, kind, edns=edns).to_wire(), tcp=tcp)
    assert isinstance(verdict, bytes)
    return dns.message.from_wire(verdict)


def test_addresses_are_answered_here() -> None:
    """With authority, for thirty seconds."""
    found = answer(resolver(), "six.example.", "AAAA")
    assert found.answer[0].to_text() == "six.example. 30 IN AAAA fd00::1"
    assert found.flags & dns.flags.AA


@pytest.mark.parametrize(("chance", "first"), [(0.0, 1), (0.34, 2), (0.99, 3)])
def test_addresses_take_turns(chance: float, first: int) -> None:
    """Any of them may be the first; the others follow in a circle."""
    items = [item.to_text() for item in answer(resolver(chance=chance), "four.example.").answer[0]]
    order = [1, 2, 3, 1, 2, 3][first - 1 : first + 2]
    assert items == [f"1.1.1.{number}" for number in order]


def test_named_ports_are_answered_here() -> None:
    """With authority, and with the address of who serves them."""
    found = answer(resolver(), "_http._tcp.srv.example.", "SRV")
    assert found.answer[0].to_text() == "_http._tcp.srv.example. 30 IN SRV 0 0 80 srv.example."
    assert found.additional[0].to_text() == "srv.example. 30 IN A 1.1.2.1"
    assert found.flags & dns.flags.AA


@pytest.mark.parametrize(("chance", "first"), [(0.0, "pod-1.example."), (0.5, "pod-2.example.")])
def test_those_who_serve_take_turns(chance: float, first: str) -> None:
    """A client that takes the first one takes not always the same."""
    found = answer(resolver(chance=chance), "_http._tcp.pods.example.", "SRV")
    assert found.answer[0][0].target.to_text() == first
    assert len(found.answer[0]) == 2


def test_the_other_family_is_empty_not_missing() -> None:
    """A client would take the absence of one family for the absence of the name."""
    for name, kind in (("four.example.", "AAAA"), ("six.example.", "A")):
        found = answer(resolver(), name, kind)
        assert (found.rcode(), found.answer) == (dns.rcode.NOERROR, [])


def test_a_full_name_behind_a_search_domain_does_not_exist() -> None:
    """Nobody is asked; empty would make some clients end their search there."""
    found = answer(resolver(), "web.ns1.svc.cluster.local.cluster.local.")
    assert found.rcode() == dns.rcode.NXDOMAIN


def test_long_answers_fit_their_way() -> None:
    """By UDP as much as the client takes, and it is told; by TCP all."""
    short = answer(resolver(), "many.example.")
    assert short.flags & dns.flags.TC
    assert len(short.answer[0]) == 30
    assert len(answer(resolver(), "many.example.", edns=4096).answer[0]) == 253
    whole = answer(resolver(), "many.example.", tcp=True)
    assert len(whole.answer[0]) == 500
    assert not whole.flags & dns.flags.TC


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("four.example.", "SRV"),
        ("four.example.", "TXT"),
        ("other.example.", "A"),
        ("_http._tcp.four.example.", "SRV"),
        ("_other._tcp.srv.example.", "SRV"),
        ("_http._tcp.srv.example.", "TXT"),
        ("_http._tcp.srv.example.", "A"),
    ],
)
def test_other_questions_are_for_others(name: str, kind: str) -> None:
    """Other types, and names that the mesh does not know."""
    data = question(name, kind, edns=1400).to_wire()
    verdict = resolver().judge(data)
    assert isinstance(verdict, Forward)
    assert (verdict.data, verdict.limit) == (data, 1400)


def test_another_class_is_for_others() -> None:
    """Names of the mesh are of the internet class."""
    data = dns.message.make_query("four.example.", "A", "CH", use_edns=-1).to_wire()
    assert isinstance(resolver().judge(data), Forward)


def test_before_the_first_table_nothing_is_known() -> None:
    """SERVFAIL makes clients try again; the resolver of the whole host asks others instead."""
    assert answer(resolver(table=False), "other.example.").rcode() == dns.rcode.SERVFAIL
    verdict = resolver(table=False, needs_table=False).judge(question("other.example.").to_wire())
    assert isinstance(verdict, Forward)


def test_no_question_gets_no_answer() -> None:
    """Responses that lost their way, and noise; broken questions are told so."""
    made = resolver()
    assert made.judge(b"") is None
    assert made.judge(nxdomain(question("x.")).to_wire()) is None
    broken = made.judge(question("x.").to_wire()[:14])
    assert isinstance(broken, bytes)
    assert dns.message.from_wire(broken).rcode() == dns.rcode.FORMERR


def test_what_others_answered_goes_back_unchanged() -> None:
    """Under the client's own id; nothing becomes SERVFAIL; too long a response becomes a truncated one."""
    query = question("other.example.", id=5)
    forward = resolver().judge(query.to_wire())
    assert isinstance(forward, Forward)
    theirs = address_reply(query, "9.9.9.9")
    theirs.id = 77
    made = resolver()
    back = dns.message.from_wire(made.conclude(forward, theirs.to_wire()))
    assert (back.id, back.answer) == (5, theirs.answer)
    assert dns.message.from_wire(made.conclude(forward, None)).rcode() == dns.rcode.SERVFAIL
    long = address_reply(query, *(f"9.9.9.{number}" for number in range(100))).to_wire(max_size=65535)
    assert dns.message.from_wire(made.conclude(forward, long)).flags & dns.flags.TC


def test_what_does_not_exist_is_asked_once() -> None:
    """And a name that the mesh gets meanwhile is known at once."""
    made = resolver()
    query = question("late.example.")
    forward = made.judge(query.to_wire())
    assert isinstance(forward, Forward)
    made.conclude(forward, nxdomain(query, ttl=30).to_wire())
    assert answer(made, "late.example.").rcode() == dns.rcode.NXDOMAIN
    made.table = build_table([NameInfo("late.example", ("1.1.1.1",), "External")], PLACE)
    assert answer(made, "late.example.").rcode() == dns.rcode.NOERROR


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_judged(data: bytes, tcp: bool) -> None:
    """Strangers may send anything."""
    assert isinstance(resolver().judge(data, tcp=tcp), bytes | Forward | None)
