"""Delays grow, stay below their bound, and chance spreads them."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from discovery.runtime.backoff import backoff_delays


def test_without_chance_delays_double_up_to_the_bound() -> None:
    """The plain series."""
    delays = backoff_delays(first_s=1, max_s=5, jitter=0)
    assert list(islice(delays, 5)) == [1, 2, 4, 5, 5]


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_no_delay_leaves_its_range(chance: float, jitter: float) -> None:
    """Each within the jitter around its base, none above the bound or below zero."""
    for step, delay in enumerate(islice(backoff_delays(first_s=1, max_s=10, jitter=jitter, chance=lambda: chance), 8)):
        base = min(10.0, 2.0**step)
        assert 0 <= delay <= 10
        assert base * (1 - jitter) - 1e-9 <= delay <= base * (1 + jitter) + 1e-9
