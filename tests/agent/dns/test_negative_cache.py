"""What does not exist is remembered, for the time that was said, and within bounds."""

from __future__ import annotations

import dns.message
import dns.rrset

from agent.dns.messages import parse_query
from agent.dns.negative_cache import MAX_ENTRIES, MAX_S, NegativeCache
from tests.kit.fake_resolver import nxdomain, question


def put(cache: NegativeCache, query: dns.message.Message, response: dns.message.Message, now: float = 0.0) -> None:
    data = query.to_wire()
    cache.put(data, parse_query(data), response.to_wire(), now)


def get(cache: NegativeCache, query: dns.message.Message, now: float = 0.0) -> dns.message.Message | None:
    data = query.to_wire()
    found = cache.get(data, parse_query(data), now)
    return None if found is None else dns.message.from_wire(found)


def test_a_remembered_answer_is_as_if_it_came_now() -> None:
    """The id and letters of who asks, and the time that is left."""
    cache = NegativeCache()
    asked = question("nobody.example.")
    put(cache, asked, nxdomain(asked, ttl=20), now=100)
    again = get(cache, question("NoBody.example.", id=99), now=105)
    assert again is not None
    assert (again.id, again.question[0].name.to_text(), again.authority[0].ttl) == (99, "NoBody.example.", 15)
    assert get(cache, asked, now=120) is None


def test_other_questions_are_other_entries() -> None:
    """Type, flags and EDNS may change an answer."""
    cache = NegativeCache()
    asked = question("nobody.example.")
    put(cache, asked, nxdomain(asked, ttl=20))
    assert get(cache, question("nobody.example.", "AAAA")) is None
    assert get(cache, question("nobody.example.", edns=1232)) is None
    assert get(cache, asked) is not None


def test_only_what_says_so_is_remembered() -> None:
    """Answers without a time, with a time of none, and long ones are not."""
    cache = NegativeCache()
    asked = question("nobody.example.")
    put(cache, asked, nxdomain(asked))
    zero = nxdomain(asked, ttl=20)
    zero.authority = [dns.rrset.from_text("example.", 0, "IN", "SOA", "ns.example. a.example. 1 2 3 4 0")]
    put(cache, asked, zero)
    long = nxdomain(asked, ttl=20)
    long.authority.append(dns.rrset.from_text("example.", 9, "IN", "TXT", *[f'"{at:200}"' for at in range(9)]))
    put(cache, asked, long)
    assert len(cache) == 0


def test_memory_and_time_are_bounded() -> None:
    """The oldest entry makes room; nothing is believed for longer than half a minute."""
    cache = NegativeCache()
    for number in range(MAX_ENTRIES + 10):
        asked = question(f"n{number}.example.")
        put(cache, asked, nxdomain(asked, ttl=86400))
    assert len(cache) == MAX_ENTRIES
    assert get(cache, question("n9.example.")) is None
    assert get(cache, question("n10.example."), now=MAX_S - 1) is not None
    assert get(cache, question("n10.example."), now=MAX_S) is None
