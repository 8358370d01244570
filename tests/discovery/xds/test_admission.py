"""Sharing the server: in order, within bounds, and nobody for ever."""

from __future__ import annotations

import asyncio

import pytest

from discovery.xds.admission import Admission, ByteBudget, QueueFullError, RequestRate


async def test_streams_are_let_in_in_the_order_in_which_they_came() -> None:
    """First come, first served, and no more than there are places."""
    admission = Admission(places=1)
    order: list[int] = []

    async def stream(number: int) -> None:
        await admission.enter()
        order.append(number)
        await asyncio.sleep(0)
        admission.leave()

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(stream(number))
    assert order == [0, 1, 2, 3, 4]


async def test_the_queue_has_an_end() -> None:
    """Beyond it streams are refused at once instead of waiting for ever."""
    admission = Admission(places=1, queue=1)
    await admission.enter()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(admission.enter())
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await admission.enter()
        admission.leave()
        await waiting


async def test_large_responses_share_a_budget_in_order() -> None:
    """One that is larger than all of it goes alone."""
    budget = ByteBudget(limit=10)
    log: list[str] = []
    gate = asyncio.Event()

    async def write(name: str, size: int) -> None:
        async with budget.share(size):
            log.append(name)
            if name == "big":
                await gate.wait()

    async with asyncio.TaskGroup() as group:
        for name, size in (("big", 50), ("a", 6), ("b", 4), ("c", 1)):
            group.create_task(write(name, size))
        await asyncio.sleep(0)
        assert log == ["big"]
        gate.set()
    assert log == ["big", "a", "b", "c"]


async def test_a_slow_reader_keeps_its_share_for_a_while_only() -> None:
    """Then the others go on beside it, and the share is given back once."""
    budget = ByteBudget(limit=10, patience_s=0.005)
    done = asyncio.Event()

    async def slow() -> None:
        async with budget.share(10):
            await done.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(slow())
        await asyncio.sleep(0)
        async with asyncio.timeout(5), budget.share(10):
            done.set()
            await asyncio.sleep(0)
    async with budget.share(10):
        assert budget._used == 10


async def test_a_writer_that_is_stopped_while_it_waits_takes_nothing_with_it() -> None:
    """Its turn goes to the next one."""
    budget = ByteBudget(limit=10)

    async def write(size: int) -> None:
        async with budget.share(size):
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        async with budget.share(10):
            waiting = group.create_task(write(10))
            after = group.create_task(write(10))
            await asyncio.sleep(0)
            waiting.cancel()
        async with asyncio.timeout(5):
            await after
    assert budget._used == 0


def test_ordinary_clients_never_meet_the_rate() -> None:
    """A burst is free, a flood is slowed to the rate, and patience pays it off."""
    rate = RequestRate(per_s=8, burst=16)
    assert [rate.take(0.0) for _ in range(16)] == [0.0] * 16
    assert rate.take(0.0) == pytest.approx(0.125)
    assert rate.take(0.0) == pytest.approx(0.25)
    assert rate.take(10.0) == 0.0
