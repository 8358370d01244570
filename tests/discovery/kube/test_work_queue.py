"""The queue of keys to be reconciled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.kube.errors import TooManyRequestsError, UnreachableError
from discovery.kube.work_queue import Schedule, WorkQueue
from tests.kit.eventually import eventually
from tests.kit.fake_clock import FakeClock


def test_a_key_waits_once_for_the_earliest_time() -> None:
    """However often it is named."""
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 5)
    schedule.add("a", 3)
    schedule.add("a", 9)
    assert (len(schedule), schedule.next_at(), schedule.take(2)) == (1, 3, None)
    assert schedule.take(3) == "a"
    assert (schedule.take(10), schedule.next_at()) == (None, inf)


def test_a_key_in_hand_is_given_to_nobody_else() -> None:
    """What was named meanwhile waits until it is out of hand."""
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 0)
    assert schedule.take(0) == "a"
    schedule.add("a", 1)
    assert schedule.take(5) is None
    schedule.done("a")
    assert schedule.take(5) == "a"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), max_size=40))
def test_no_key_is_lost_and_due_times_are_kept(steps: list[tuple[str, int]]) -> None:
    """Against a plain model: each key named is taken at the earliest time it was named for."""
    schedule: Schedule[str] = Schedule()
    model: dict[str, int] = {}
    for key, at in steps:
        schedule.add(key, at)
        model[key] = min(at, model.get(key, at))
    taken: list[tuple[str, float]] = []
    while (due_at := schedule.next_at()) < inf:
        found = schedule.take(due_at)
        assert found is not None
        taken.append((found, due_at))
        schedule.done(found)
    assert dict(taken) == model
    assert len(taken) == len(model)
    assert [due for _, due in taken] == sorted(due for _, due in taken)


class Reconciler:
    """Fails as told, and remembers what it was called for."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls: list[str] = []
        self.gate: asyncio.Event | None = None

    async def __call__(self, key: str) -> None:
        self.calls.append(key)
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)


@asynccontextmanager
async def working(reconciler: Reconciler, *, workers: int = 1) -> AsyncIterator[tuple[WorkQueue[str], FakeClock]]:
    """A queue at work."""
    clock = FakeClock()
    queue: WorkQueue[str] = WorkQueue("test", clock=clock, chance=lambda: 0.5, sleep=clock.sleep)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(queue.run(reconciler, workers=workers))
        yield queue, clock
        task.cancel()


async def test_keys_are_reconciled_and_repeats_merge() -> None:
    """Three names, two calls."""
    reconciler = Reconciler()
    async with working(reconciler) as (queue, _):
        queue.add("a")
        queue.add("a")
        queue.add("b")
        await eventually(lambda: len(reconciler.calls) == 2)
    assert reconciler.calls == ["a", "b"]


async def test_a_change_during_the_work_is_worked_on_after_it() -> None:
    """Else the last change would be lost; and never twice at once."""
    reconciler = Reconciler()
    reconciler.gate = asyncio.Event()
    async with working(reconciler, workers=3) as (queue, _):
        queue.add("a")
        await eventually(lambda: reconciler.calls == ["a"])
        queue.add("a")
        queue.add("a")
        queue.add("b")
        await eventually(lambda: reconciler.calls == ["a", "b"])
        reconciler.gate.set()
        await eventually(lambda: reconciler.calls == ["a", "b", "a"])


async def test_failures_come_back_later_and_later() -> None:
    """50 ms, 100 ms, 200 ms; success forgets them."""
    error = UnreachableError("gone")
    reconciler = Reconciler(error, error, error)
    async with working(reconciler) as (queue, clock):
        queue.add("a")
        waits = [await clock.pass_to_next_wake() for _ in range(3)]
        await eventually(lambda: len(reconciler.calls) == 4)
        reconciler.failures.append(error)
        queue.add("a")
        waits.append(await clock.pass_to_next_wake())
    assert waits == [pytest.approx(s) for s in (0.05, 0.1, 0.2, 0.05)]


async def test_the_api_server_says_how_long_to_wait() -> None:
    """A Retry-After counts if it is longer."""
    reconciler = Reconciler(TooManyRequestsError("PUT /x", 429, "", "", 7.0))
    async with working(reconciler) as (queue, clock):
        queue.add("a")
        assert await clock.pass_to_next_wake() == pytest.approx(7)


async def test_one_bad_key_stops_no_other() -> None:
    """Even if its error is a mistake of ours."""
    reconciler = Reconciler(KeyError("mistake"))
    async with working(reconciler) as (queue, clock):
        queue.add("bad")
        queue.add("good")
        await eventually(lambda: reconciler.calls == ["bad", "good"])
        await clock.pass_to_next_wake()
        await eventually(lambda: reconciler.calls == ["bad", "good", "bad"])


async def test_a_later_key_wakes_when_it_is_due() -> None:
    """And one that is named earlier meanwhile wakes at once."""
    reconciler = Reconciler()
    async with working(reconciler) as (queue, clock):
        queue.add("later", after_s=10)
        assert await clock.next_wake_s() == 10
        queue.add("now")
        await eventually(lambda: reconciler.calls == ["now"])
        assert await clock.pass_to_next_wake() == 10
        await eventually(lambda: reconciler.calls == ["now", "later"])


async def test_a_fatal_error_ends_the_work_and_keeps_the_key() -> None:
    """Who has lost the lead must stop, and whoever goes on finds the key still waiting."""
    reconciler = Reconciler(PermissionError("not leading"))
    clock = FakeClock()
    queue: WorkQueue[str] = WorkQueue("test", clock=clock)
    queue.add("a")
    with pytest.raises(ExceptionGroup) as caught:
        await queue.run(reconciler, fatal=(PermissionError,))
    assert caught.group_contains(PermissionError)
    assert len(queue) == 1
