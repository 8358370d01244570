"""Addresses for hosts without one: stable, unique, and those that others compute as well."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from discovery.registry import auto_allocate
from discovery.registry.auto_allocate import Claim, allocate

claims = st.lists(st.builds(Claim, st.sampled_from(["a", "b"]), st.from_regex(r"[a-z]{1,5}\.example", fullmatch=True)))


def test_addresses_are_those_of_the_known_hash() -> None:
    """Replicas of different make agree on them."""
    found = allocate([Claim("ns2", "random-1.host.example"), Claim("ns2", "random-3.host.example")])
    assert found == {
        "random-1.host.example": ("240.240.116.21", "2001:2::f0f0:7415"),
        "random-3.host.example": ("240.240.81.100", "2001:2::f0f0:5164"),
    }


@given(claims)
def test_every_host_has_its_own_address_in_the_range(found: list[Claim]) -> None:
    """And no address ends in 0 or 255, which some networks treat specially."""
    given_to = allocate(found)
    assert given_to.keys() == {claim.host for claim in found}
    assert len({v4 for v4, _ in given_to.values()}) == len({v6 for _, v6 in given_to.values()}) == len(given_to)
    for v4, v6 in given_to.values():
        assert ip_address(v4) in ip_network("240.240.0.0/16")
        assert v4.rpartition(".")[2] not in ("0", "255")
        assert ip_address(v6) in ip_network("2001:2::/48")


@given(claims, claims)
def test_later_claims_move_nobody(first: list[Claim], later: list[Claim]) -> None:
    """A host keeps its address whoever comes after it."""
    before, after = allocate(first), allocate([*first, *later])
    assert {host: after[host] for host in before} == before


def test_a_collision_is_settled_by_age() -> None:
    """Whoever came first has the hash's own slot; the other one goes elsewhere."""
    by_slot: dict[str, str] = {}
    pair: tuple[str, str] | None = None
    for number in range(5000):
        host = f"h{number}.example"
        address = allocate([Claim("x", host)])[host][0]
        if address in by_slot:
            pair = by_slot[address], host
            break
        by_slot[address] = host
    assert pair is not None
    first, second = pair
    forward = allocate([Claim("x", first), Claim("x", second)])
    backward = allocate([Claim("x", second), Claim("x", first)])
    assert forward[first] == backward[second]
    assert forward[second] != forward[first] != backward[first]


def test_the_range_may_be_exhausted() -> None:
    """The last ones get none; nobody waits for ever."""
    found = allocate(Claim("x", str(number)) for number in range(65_100))
    assert len(found) == len({v4 for v4, _ in found.values()}) == 64_770
    assert "0" in found
    assert "65099" not in found


def test_a_stride_that_misses_the_free_slot_is_left() -> None:
    """Strides may share a factor with the number of slots."""
    free = 1
    taken = set(range(65024)) - {free}
    assert auto_allocate._free_slot(65011 - 254, taken) == free
