from __future__ import annotations

from discovery.store.delivery import Delivery, RejectedResource


def test_equal_answers_are_equal() -> None:
    """Whoever writes conditions compares what it would write with what is there."""
    rejected = RejectedResource(proxy="web.shop", type="CDS", name="a", version="1", error="bad")
    assert Delivery(waiting=1, rejected=(rejected,)) == Delivery(waiting=1, rejected=(rejected,))
    assert Delivery() == Delivery(waiting=0, rejected=())
