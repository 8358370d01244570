"""Debounce: the first change at once, bursts together, nothing for ever."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from discovery.runtime.clock import SystemClock
from discovery.runtime.debounce import Debounce, DebouncedCall


def test_the_first_change_after_quiet_goes_at_once() -> None:
    """So a single edit is not slowed down."""
    debounce = Debounce(quiet_s=0.1, max_s=10)
    assert debounce.change(5.0)
    assert debounce.due_at is None
    assert debounce.change(5.2)


def test_changes_soon_after_wait_until_it_is_quiet() -> None:
    """Each moves the end of the burst."""
    debounce = Debounce(quiet_s=0.1, max_s=10)
    debounce.change(0.0)
    assert not debounce.change(0.05)
    assert debounce.due_at == 0.05 + 0.1
    assert not debounce.change(0.12)
    assert debounce.due_at == 0.12 + 0.1
    assert debounce.merged == 2
    debounce.acted()
    assert debounce.due_at is None


def test_a_burst_without_end_is_cut() -> None:
    """No change waits for longer than the maximum."""
    debounce = Debounce(quiet_s=0.1, max_s=1.0)
    debounce.change(0.0)
    for tick in range(1, 50):
        debounce.change(tick * 0.05)
    assert debounce.due_at == 0.05 + 1.0


@given(st.lists(st.floats(0.001, 3.0), min_size=1, max_size=60))
def test_every_change_is_acted_on_in_time(gaps: list[float]) -> None:
    """However changes come, each is acted on within the maximum, and never twice for nothing."""
    debounce = Debounce(quiet_s=0.1, max_s=1.0)
    now, waiting = 0.0, 0
    for gap in gaps:
        arrival = now + gap
        due = debounce.due_at
        if due is not None and due <= arrival:
            assert waiting
            debounce.acted()
            waiting = 0
        now = arrival
        if not debounce.change(now):
            waiting += 1
            assert debounce.due_at is not None
            assert debounce.due_at <= now + 1.0
        assert debounce.merged == waiting


async def test_the_shell_calls_once_at_once_and_once_for_the_burst() -> None:
    """However many changes follow the first, they are one more call."""
    calls: list[float] = []
    done = asyncio.Event()

    def call() -> None:
        calls.append(clock.monotonic())
        if len(calls) == 2:
            done.set()

    clock = SystemClock()
    debounced = DebouncedCall(call, clock, quiet_s=0.005, max_s=1.0)
    debounced.change()
    assert not calls  # not in the turn of the one who changes
    await asyncio.sleep(0)
    assert len(calls) == 1
    for _ in range(10):
        debounced.change()
    async with asyncio.timeout(5):
        await done.wait()
    assert len(calls) == 2
    debounced.close()


async def test_a_closed_shell_calls_no_more() -> None:
    """Shutdown leaves no timer behind."""
    calls: list[int] = []
    debounced = DebouncedCall(lambda: calls.append(1), SystemClock(), quiet_s=0.001)
    debounced.change()
    debounced.close()
    await asyncio.sleep(0)
    assert not calls
