"""The agent's DNS answers, and the name table that the control plane sends it."""

from __future__ import annotations

from ipaddress import ip_address

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
import yaml
from msgspec.structs import replace

from agent.dns.name_table import parse_name_table
from agent.dns.table import Place, build_table
from discovery.wire.type_urls import NAME_TABLE
from tests.kit.conformance import Case, cases
from tests.kit.dns_proxy import dns_proxy
from tests.kit.fake_resolver import FakeResolver, address_reply, ask_tcp, ask_udp, nxdomain, question
from tests.kit.name_table import read_name_table, write_name_table
from tests.kit.world import DEFAULT_PROXY, World


@pytest.mark.parametrize("case", cases("dns", where=lambda case: case["kind"] == "name_table"))
def test_name_table(case: Case) -> None:
    """The names and addresses of the table; addresses made for hosts are those that Istio makes."""
    metadata = case["node_metadata"]
    assert case["env"]["PILOT_ENABLE_IP_AUTOALLOCATE"] == "false", "so only what the proxy says counts"
    world = World()
    world.load(yaml.safe_load_all(case.text(case["input"])))
    world.proxy = replace(
        DEFAULT_PROXY,
        dns_auto_allocate=metadata.get("DNS_CAPTURE") == metadata.get("DNS_AUTO_ALLOCATE") == "true",
        namespace="default",
    )
    (table,) = world.rendered(NAME_TABLE).values()
    assert read_name_table(table.value) == case["expect"]


@pytest.mark.parametrize("case", cases("dns", where=lambda case: case["kind"] == "known_names"))
def test_known_names(case: Case) -> None:
    """All names that the table stands for, short ones included, besides those of the table itself."""
    table = build_table(parse_name_table(_written_table(case)), _place(case))
    known = {*case["defaults"]["lookup"]["name_table"], *(name for name, _ in table.names())}
    assert sorted(name for name in known if name.startswith(case["starts_with"])) == sorted(case["expect"])


@pytest.mark.parametrize("case", cases("dns", where=lambda case: case["kind"] == "lookup"))
async def test_lookup(case: Case) -> None:
    """What a client is answered over real sockets; addresses of a name in any order, names that lead to it first."""
    asked, expected = case["question"], case["expect"]
    query = question(asked["name"], asked["type"], edns=asked.get("edns0_size", 0), id=asked.get("id", 1))
    async with (
        FakeResolver(_upstream) as upstream,
        dns_proxy(case["defaults"]["lookup"]["name_table"], ports=(upstream.port,), place=_place(case)) as proxy,
    ):
        for transport in case["transport"].split(" and "):
            ask = ask_udp if transport == "udp" else ask_tcp
            response = dns.message.from_wire(await ask(proxy.address, query.to_wire()))
            assert response.id == query.id
            assert response.rcode() == dns.rcode.from_text(expected.get("rcode", "NOERROR")), transport
            assert bool(upstream.asked) or expected.get("answered_by") != "upstream"
            if "answers" in expected:
                found = [
                    (rrset.name.to_text(), dns.rdatatype.to_text(rrset.rdtype), item.to_text(), rrset.ttl)
                    for rrset in response.answer
                    for item in rrset
                ]
                wanted = _records(expected["answers"])
                assert sorted(found) == sorted(wanted)
                assert [kind for _, kind, *_ in found] == [kind for _, kind, *_ in wanted]


def _records(expected: list[dict[str, str]] | str) -> list[tuple[str, str, str, int]]:
    """Name, type, value and TTL of each record."""
    if isinstance(expected, str):
        counts = {"the 64 records": 64, "the first 29": 29}
        count = next(count for text, count in counts.items() if expected.startswith(text))
        return [("aaaaaaaaaaaa.aaaaaa.", "A", f"240.0.0.{at}", 10) for at in range(count)]
    return [
        (record["name"], record["type"], str(ip_address(v)) if ":" in (v := record["value"]) else v, 30)
        for record in expected
    ]


def _written_table(case: Case) -> bytes:
    return write_name_table(case["defaults"]["lookup"]["name_table"])


def _place(case: Case) -> Place:
    lookup = case["defaults"]["lookup"]
    return Place.of(lookup["proxy_namespace"], lookup["proxy_domain"], lookup["search_domains"])


def _upstream(query: dns.message.Message, tcp: bool) -> dns.message.Message | bytes:
    """The resolver that the area describes."""
    name = query.question[0].name.to_text()
    if name == "www.bing.com.":
        return address_reply(query, "1.1.1.1")
    if name not in ("giant.", "giant-tc."):
        return nxdomain(query)
    response = dns.message.make_response(query)
    addresses = [f"240.0.0.{at}" for at in range(64)]
    response.answer.append(dns.rrset.from_text("aaaaaaaaaaaa.aaaaaa.", 10, "IN", "A", *addresses))
    if name == "giant.":
        return response
    del tcp  # cut to the smallest size whatever the transport
    return _cut(response, 512)


def _cut(response: dns.message.Message, size: int) -> bytes:
    """Records are left out from the end until the rest fits."""
    (rrset,) = response.answer
    items = list(rrset)
    response.flags |= dns.flags.TC
    while True:
        kept = dns.rrset.from_rdata_list(rrset.name, rrset.ttl, items)
        response.answer = [kept]
        wire = response.to_wire(max_size=65535)
        if len(wire) <= size:
            return wire
        items.pop()
