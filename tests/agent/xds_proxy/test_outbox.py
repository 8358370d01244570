"""The agent's own requests: ordered, merged, bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.xds_proxy.outbox import HEALTH_SLOT, Outbox


def test_takes_in_order_of_first_put() -> None:
    """Slots leave in the order in which they were first filled, each with its newest word."""
    box = Outbox()
    box.put("a", b"1")
    box.put(HEALTH_SLOT, b"sick")
    box.put("a", b"2")
    assert [box.take(), box.take(), box.take()] == [b"2", b"sick", None]


@given(st.lists(st.tuples(st.sampled_from(["a", "b", HEALTH_SLOT]), st.binary(max_size=2))))
def test_never_larger_than_its_slots(puts: list[tuple[str, bytes]]) -> None:
    """However often words are put, there is at most one per slot, and it is the last one."""
    box = Outbox()
    for slot, word in puts:
        box.put(slot, word)
    assert len(box) == len({slot for slot, _ in puts})
    assert sorted(iter(box.take, None)) == sorted(dict(puts).values())
