"""The wire codec: read and written as an independent library does, and any bytes are survived."""

from __future__ import annotations

import socket

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dns.messages import (
    AAAA,
    MAX_TCP,
    A,
    MessageError,
    Rcode,
    Target,
    build_addresses,
    build_error,
    build_targets,
    negative_ttl,
    parse_query,
    response_matches,
    truncate,
    wire_name,
)
from tests.kit.fake_resolver import address_reply, nxdomain, question

labels = st.binary(min_size=1, max_size=63)
names = st.lists(labels, max_size=10).filter(lambda found: sum(len(label) + 1 for label in found) < 255)
host_names = st.from_regex(r"([a-zA-Z0-9_-]{1,10}\.){1,5}", fullmatch=True)
sizes = st.sampled_from([0, 512, 1232, 4096, 65535])


@given(names, st.integers(0, 65535), st.integers(1, 65535), sizes)
def test_questions_are_read_as_another_library_writes_them(
    found: list[bytes], number: int, kind: int, edns: int
) -> None:
    """Any name of any bytes, any type, with EDNS or without."""
    if kind == dns.rdatatype.OPT:
        return
    name = dns.name.Name([*found, b""])
    query = dns.message.make_query(
        name, dns.rdatatype.RdataType.make(kind), use_edns=0 if edns else -1, payload=edns or 0
    )
    query.id = number
    read = parse_query(query.to_wire())
    assert read.name == (name.to_wire() or b"").lower()
    assert [read.name[at] for at in read.labels] == [len(label) for label in found]
    assert (read.kind, read.family) == (kind, 1)
    assert (read.size, read.edns) == (max(edns, 512), bool(edns))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_question_or_refused(data: bytes) -> None:
    """Nothing else is raised, and what is answered to a refusal is a message."""
    refusal = _refusal(data)
    if refusal is not None and refusal.rcode is not None:
        assert dns.message.from_wire(build_error(data, refusal.rcode)).id == int.from_bytes(data[:2])


def _refusal(data: bytes) -> MessageError | None:
    try:
        parse_query(data)
    except MessageError as error:
        return error
    return None


@given(
    host_names, sizes, st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=4), st.integers(0, 130)
)
def test_damaged_questions_are_survived(name: str, edns: int, edits: list[tuple[int, int]], cut: int) -> None:
    """A question with some bytes changed, or cut off, is read or refused."""
    data = bytearray(question(name, edns=edns).to_wire())
    for at, value in edits:
        data[at % len(data)] = value
    for damaged in (bytes(data), bytes(data[:cut])):
        _refusal(damaged)


@pytest.mark.parametrize(
    ("data", "rcode"),
    [
        (b"", None),
        (bytes(11), None),
        (question("x.").to_wire()[:2] + b"\x81" + bytes(9), None),
        (bytes(12), Rcode.SERVFAIL),
        (b"\0\1\0\0\0\2" + bytes(20), Rcode.FORMERR),
        (b"\0\1\0\0\0\1" + bytes(6) + b"\xc0\x0c\0\1\0\1", Rcode.FORMERR),
        (b"\0\1\0\0\0\1" + bytes(6) + b"\1x", Rcode.FORMERR),
        (b"\0\1\0\0\0\1" + bytes(6) + b"\1x\0\0\1", Rcode.FORMERR),
        (b"\0\1\0\0\0\1" + bytes(6) + b"\x3fx" * 200, Rcode.FORMERR),
        (b"\0\1\x28\0\0\1" + bytes(11), Rcode.NOTIMP),
    ],
)
def test_what_is_no_question_says_what_to_answer(data: bytes, rcode: Rcode | None) -> None:
    """Too short and responses: nothing; no question: SERVFAIL; several, and broken ones: FORMERR; updates: NOTIMP."""
    with pytest.raises(MessageError) as caught:
        parse_query(data)
    assert caught.value.rcode == rcode


def test_edns_is_held_to_its_rules() -> None:
    """One OPT record, without a name, of version 0."""
    one = question("x.", edns=1232).to_wire()
    opt = one[-11:]
    for extra in (opt, b"\1x" + opt):
        with pytest.raises(MessageError):
            parse_query(one[:11] + b"\2" + one[12:] + extra)
    newer = dns.message.make_query("x.", "A", use_edns=1)
    with pytest.raises(MessageError) as caught:
        parse_query(newer.to_wire())
    answer = dns.message.from_wire(build_error(newer.to_wire(), Rcode.BADVERS))
    assert caught.value.rcode is Rcode.BADVERS
    assert answer.rcode() == dns.rcode.BADVERS


@given(host_names, st.sampled_from([A, AAAA]), st.integers(0, 80), sizes, st.none() | host_names)
def test_answers_are_what_another_library_reads(name: str, kind: int, count: int, edns: int, alias: str | None) -> None:
    """Id, question with its letters, records in order, flags, and never longer than allowed."""
    data = question(name, dns.rdatatype.to_text(dns.rdatatype.RdataType.make(kind)), edns=edns, id=4711).to_wire()
    query = parse_query(data)
    size = 4 if kind == A else 16
    addresses = [number.to_bytes(size) for number in range(1, count + 1)]
    other = wire_name(alias) if alias else None
    raw = build_addresses(data, query, addresses, limit=query.size, alias=other or b"")
    assert len(raw) <= query.size
    answer = dns.message.from_wire(raw)
    assert (answer.id, answer.rcode(), answer.edns) == (4711, dns.rcode.NOERROR, 0 if edns else -1)
    assert answer.flags & (dns.flags.QR | dns.flags.AA | dns.flags.RA | dns.flags.RD) == 0x8580
    assert raw[12 : query.end] == data[12 : query.end]
    given_back = [item.to_text() for rrset in answer.answer if rrset.rdtype == kind for item in rrset]
    family = socket.AF_INET if kind == A else socket.AF_INET6
    assert given_back == [socket.inet_ntop(family, address) for address in addresses[: len(given_back)]]
    assert bool(answer.flags & dns.flags.TC) == (len(given_back) < count)
    if other and given_back and alias is not None:
        assert answer.answer[0].to_text() == f"{name} 30 IN CNAME {alias.lower()}"
        assert answer.answer[1].name == dns.name.from_text(alias.lower())


def test_an_answer_without_addresses_is_empty() -> None:
    """Not even the other name is told."""
    data = question("x.example.").to_wire()
    answer = dns.message.from_wire(build_addresses(data, parse_query(data), [], limit=512, alias=b"\1y\0"))
    assert (answer.answer, answer.rcode()) == ([], dns.rcode.NOERROR)


def test_a_truncated_response_has_no_records() -> None:
    """Only the bit that sends the client to TCP."""
    query = question("x.example.")
    data = query.to_wire()
    cut = dns.message.from_wire(truncate(address_reply(query, "1.1.1.1").to_wire(), parse_query(data)))
    assert cut.flags & dns.flags.TC
    assert (cut.answer, cut.question) == ([], query.question)


def test_a_response_answers_one_question() -> None:
    """Same id and question, whatever the case of the letters; a refusal may leave the question out."""
    query = question("x.example.")
    data = query.to_wire()
    read = parse_query(data)
    good = address_reply(query, "1.1.1.1").to_wire()
    assert response_matches(good, data, read)
    assert response_matches(good.replace(b"example", b"eXample"), data, read)
    bare = good[:3] + b"\x82" + bytes(8)
    assert response_matches(bare, data, read)
    for other in (
        b"",
        good[:11],
        b"\0\0" + good[2:],
        data,
        good.replace(b"example", b"another"),
        good[:14],
        bare[:3] + bytes(9),
    ):
        assert not response_matches(other, data, read)


def test_what_does_not_exist_says_for_how_long() -> None:
    """The lesser of the two numbers of the SOA record; other responses say nothing of the kind."""
    query = question("x.example.")
    read = parse_query(query.to_wire())
    gone = nxdomain(query, ttl=30)
    found = negative_ttl(gone.to_wire(), read)
    assert found is not None
    assert (found.seconds, gone.to_wire()[found.at : found.at + 4]) == (30, (30).to_bytes(4))
    empty = nxdomain(query, ttl=20)
    empty.set_rcode(dns.rcode.NOERROR)
    assert negative_ttl(empty.to_wire(), read) is not None
    refused = nxdomain(query, ttl=20)
    refused.set_rcode(dns.rcode.REFUSED)
    for other in (nxdomain(query), address_reply(query, "1.1.1.1"), refused):
        assert negative_ttl(other.to_wire(), read) is None


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=6), st.integers(12, 130))
def test_damaged_responses_are_survived(edits: list[tuple[int, int]], cut: int) -> None:
    """Whatever a resolver sends, it is remembered or not."""
    query = question("x.example.")
    read = parse_query(query.to_wire())
    data = bytearray(nxdomain(query, ttl=30).to_wire())
    for at, value in edits:
        data[at % len(data)] = value
    for damaged in (bytes(data), bytes(data[:cut])):
        found = negative_ttl(damaged, read)
        assert found is None or 0 <= found.at <= len(damaged) - 4


@given(st.text(max_size=300))
def test_names_become_wire_form_or_nothing(text: str) -> None:
    """As another library makes it of them, where both take it."""
    wire = wire_name(text)
    if wire is not None:
        assert len(wire) <= 255
        assert wire == wire.lower()
        assert dns.name.from_wire(wire, 0)[0].to_wire() == wire


def test_some_texts_are_no_names() -> None:
    """Empty labels, labels above 63 bytes, names above 255, and letters that are not ASCII."""
    assert wire_name("Web.Example.") == wire_name("web.example") == b"\3web\7example\0"
    for text in ("", ".", "a..b", ".a", "a" * 64, ".".join(["a" * 60] * 5), "bücher.example"):
        assert wire_name(text) is None
    assert MAX_TCP == 65535


def _target(port: int, name: str, *addresses: str) -> Target:
    made = wire_name(name)
    assert made is not None
    v4 = tuple(socket.inet_pton(socket.AF_INET, text) for text in addresses if ":" not in text)
    v6 = tuple(socket.inet_pton(socket.AF_INET6, text) for text in addresses if ":" in text)
    return Target(port, made, v4, v6)


def _served(targets: list[Target], *, limit: int = MAX_TCP, edns: int = 0, alias: str = "") -> dns.message.Message:
    data = question("_HTTP._tcp.Web.example.", "SRV", edns=edns).to_wire()
    wire = build_targets(
        data, parse_query(data), targets, limit=limit, alias=(wire_name(alias) or b"") if alias else b""
    )
    assert len(wire) <= limit
    return dns.message.from_wire(wire)


def test_a_service_is_answered_with_addresses_of_its_target() -> None:
    """No weight for a single one; the letters of the question keep their case."""
    found = _served([_target(80, "web.example", "10.0.0.1", "10.0.0.2", "fd00::1")])
    assert [rrset.to_text() for rrset in found.answer] == ["_HTTP._tcp.Web.example. 30 IN SRV 0 0 80 web.example."]
    assert [rrset.to_text() for rrset in found.additional] == [
        "web.example. 30 IN A 10.0.0.1\nweb.example. 30 IN A 10.0.0.2",
        "web.example. 30 IN AAAA fd00::1",
    ]
    assert found.flags & dns.flags.AA
    assert found.edns == -1


def test_several_targets_weigh_the_same_and_not_nothing() -> None:
    """RFC 2782: among weights of 0 alone, each client would take the first; one host at two ports is told once."""
    found = _served(
        [_target(80, "a.example", "10.0.0.1"), _target(81, "a.example", "10.0.0.1"), _target(1, "b.example")]
    )
    assert sorted(item.to_text() for item in found.answer[0]) == [
        "0 1 1 b.example.",
        "0 1 80 a.example.",
        "0 1 81 a.example.",
    ]
    assert [rrset.to_text() for rrset in found.additional] == ["a.example. 30 IN A 10.0.0.1"]


def test_a_service_by_another_name_says_so_first() -> None:
    """As for addresses: CNAME, then the answer of the name that it leads to."""
    found = _served([_target(80, "web", "10.0.0.1")], alias="_http._tcp.web", edns=1232)
    assert [rrset.to_text() for rrset in found.answer] == [
        "_HTTP._tcp.Web.example. 30 IN CNAME _http._tcp.web.",
        "_http._tcp.web. 30 IN SRV 0 0 80 web.",
    ]
    assert found.additional[0].to_text() == "web. 30 IN A 10.0.0.1"
    assert found.edns == 0


def test_addresses_give_way_without_a_word_targets_with_one() -> None:
    """Only what the client cannot ask for by itself is worth a second question by TCP."""
    targets = [_target(80, f"pod-{number:04}.example", f"10.0.{number >> 8}.{number & 255}") for number in range(2000)]
    few = _served(targets[:10], limit=512)
    assert not few.flags & dns.flags.TC
    assert len(few.answer[0]) == 10
    assert 0 < len(few.additional) < 10
    cut = _served(targets, limit=512)
    assert cut.flags & dns.flags.TC
    assert 10 <= len(cut.answer[0]) < 16
    by_tcp = _served(targets[:1000])
    assert not by_tcp.flags & dns.flags.TC
    assert len(by_tcp.answer[0]) == 1000
    assert [rrset.name.to_text() for rrset in by_tcp.additional] == [f"pod-{n:04}.example." for n in range(1000)], (
        "names beyond the reach of pointers are written out"
    )
