"""When the control plane may be asked again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.xds_proxy.gate import FIRST_DELAY_S, MAX_DELAY_S, ReconnectGate


def test_open_at_first() -> None:
    """The first connection never waits."""
    assert ReconnectGate().delay_s(0.0) == 0.0


def test_window_grows_with_failures_and_is_capped() -> None:
    """Each failure without an answer doubles the window, up to the cap."""
    gate = ReconnectGate(chance=lambda: 0.5)
    delays = []
    for _ in range(8):
        gate.on_end(100.0, answered=False)
        delays.append(gate.delay_s(100.0))
    assert delays[:3] == pytest.approx([FIRST_DELAY_S, 2 * FIRST_DELAY_S, 4 * FIRST_DELAY_S])
    assert delays[-1] == MAX_DELAY_S


def test_an_answer_resets_the_window() -> None:
    """A stream that worked starts the window at its smallest again."""
    gate = ReconnectGate(chance=lambda: 0.5)
    for _ in range(5):
        gate.on_end(0.0, answered=False)
    gate.on_end(0.0, answered=True)
    assert gate.delay_s(0.0) == FIRST_DELAY_S


def test_time_that_envoy_waited_counts() -> None:
    """The window is measured from the failure: what Envoy waited by itself is not waited again."""
    gate = ReconnectGate(chance=lambda: 0.5)
    gate.on_end(10.0, answered=False)
    assert gate.delay_s(10.0 + FIRST_DELAY_S) == 0.0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 0.999)), max_size=30))
def test_never_longer_than_the_cap(ends: list[tuple[bool, float]]) -> None:
    """Whatever happened, nobody waits longer than the cap."""
    chances = iter([chance for _, chance in ends])
    gate = ReconnectGate(chance=lambda: next(chances))
    for answered, _ in ends:
        gate.on_end(5.0, answered=answered)
        assert 0.0 <= gate.delay_s(5.0) <= MAX_DELAY_S
