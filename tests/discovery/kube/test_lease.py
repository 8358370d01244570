from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from discovery.kube.election import LeaseTimes
from discovery.kube.lease import ElectionMetrics, Fence, LeaseElector, NotLeadingError, SoleWriter
from discovery.kube.timing import Timing
from discovery.runtime.clock import SystemClock
from tests.kit.eventually import eventually
from tests.kit.fake_clock import FakeClock
from tests.kit.lease_server import LeaseClient, LeaseServer

TIMES = LeaseTimes(lease_s=10)


def elector(client: LeaseClient, name: str, clock: FakeClock, metrics: ElectionMetrics | None = None) -> LeaseElector:
    return LeaseElector(
        client,
        namespace="istio-system",
        lease="leader",
        identity=name,
        timing=Timing(clock, clock.sleep),
        times=TIMES,
        metrics=metrics,
    )


@asynccontextmanager
async def running(*electors: LeaseElector) -> AsyncIterator[list[asyncio.Task[None]]]:
    """The electors run; they are cancelled in the end, and not left in good order unless the test does that."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.run()) for one in electors]
        yield tasks
        for task in tasks:
            task.cancel()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def pass_time(clock: FakeClock, seconds: float) -> None:
    """Let time pass in small steps, and everybody act after each."""
    for _ in range(round(seconds / 0.1)):
        clock.advance(0.1)
        await settle()


class Work:
    """Work of a leader: writes down its terms and goes on until it is cancelled."""

    def __init__(self) -> None:
        self.fences: list[Fence] = []
        self.running = 0

    async def __call__(self, fence: Fence) -> None:
        self.fences.append(fence)
        self.running += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.running -= 1


# -- the fence ---------------------------------------------------------------------------------------------------------


def fence(clock: FakeClock, seconds: float = 6.0) -> Fence:
    made = Fence(clock)
    made.extend(clock.monotonic() + seconds)
    return made


async def test_fence_lets_write_until_the_lease_ends() -> None:
    """It says so before each write, and tells how long is left."""
    clock = FakeClock()
    made = fence(clock)
    clock.advance(5.9)
    made.check()
    assert made.remaining_s == pytest.approx(0.1)
    clock.advance(0.1)
    with pytest.raises(NotLeadingError):
        made.check()


async def test_fence_once_lost_stays_lost() -> None:
    """A renewal that comes too late opens no gate that others may have passed meanwhile."""
    clock = FakeClock()
    made = fence(clock)
    clock.advance(6.0)
    with pytest.raises(NotLeadingError):
        made.check()
    made.extend(clock.monotonic() + 6.0)
    with pytest.raises(NotLeadingError):
        made.check()


async def test_fence_notices_that_the_machine_was_suspended() -> None:
    """Its monotonic clock stood still, but the wall clock did not."""
    clock = FakeClock()
    made = fence(clock)
    clock._start += timedelta(hours=1)
    with pytest.raises(NotLeadingError):
        made.check()


async def test_fence_does_not_mind_a_wall_clock_put_back() -> None:
    """What the monotonic clock says still counts."""
    clock = FakeClock()
    made = fence(clock)
    clock._start -= timedelta(hours=1)
    made.check()
    clock.advance(6.0)
    with pytest.raises(NotLeadingError):
        made.check()


async def test_write_that_outlasts_the_term_is_broken_off() -> None:
    """However long the client would wait."""
    clock = FakeClock()
    made = fence(clock, 0.01)
    with pytest.raises(NotLeadingError):
        async with made.writing():
            await asyncio.Event().wait()


async def test_timeout_of_the_write_itself_is_not_the_fences() -> None:
    """The caller is told what happened, not something near it."""
    made = fence(FakeClock())
    with pytest.raises(TimeoutError):
        async with made.writing():
            raise TimeoutError


# -- the elector -------------------------------------------------------------------------------------------------------


async def test_one_of_two_leads_and_stays() -> None:
    """The other waits, however long, and writes nothing."""
    clock, server = FakeClock(), LeaseServer()
    one, two = elector(server.client("one"), "one", clock), elector(server.client("two"), "two", clock)
    async with running(one, two):
        await pass_time(clock, 30)
        assert (one.leading, two.leading) == (True, False)
        assert (one.holder, two.holder) == ("one", "one")
        assert set(server.writers) == {"one"}


async def test_another_leads_within_the_lease_time_after_a_death() -> None:
    """The dead one says nothing; its lease runs out."""
    clock, server = FakeClock(), LeaseServer()
    one, two = elector(server.client("one"), "one", clock), elector(server.client("two"), "two", clock)
    async with running(one, two) as tasks:
        await pass_time(clock, 5)
        tasks[0].cancel()
        await pass_time(clock, TIMES.lease_s)
        assert two.leading
        assert not one.leading


async def test_lease_is_let_go_on_shutdown() -> None:
    """The next look of another finds it free."""
    clock, server = FakeClock(), LeaseServer()
    one, two = elector(server.client("one"), "one", clock), elector(server.client("two"), "two", clock)
    async with asyncio.TaskGroup() as group:
        async with one:
            first = group.create_task(one.run())
            await pass_time(clock, 1)
            second = group.create_task(two.run())
            await pass_time(clock, 5)
            assert one.leading
            first.cancel()
            await settle()
        await pass_time(clock, TIMES.look_s + 0.2)
        assert (one.leading, two.leading) == (False, True)
        second.cancel()


async def test_work_runs_while_this_replica_leads() -> None:
    """It ends with the term, and begins anew with the next, behind a new fence."""
    clock, server = FakeClock(), LeaseServer()
    client = server.client("one")
    one, work = elector(client, "one", clock), Work()
    async with running(one), asyncio.TaskGroup() as group:
        task = group.create_task(one.run_while_leading(work))
        await pass_time(clock, 1)
        assert work.running == 1
        client.cut = True
        await pass_time(clock, TIMES.keep_s)
        assert (one.leading, work.running) == (False, 0)
        with pytest.raises(NotLeadingError):
            work.fences[0].check()
        client.cut = False
        await pass_time(clock, 2)
        assert (one.leading, work.running, len(work.fences)) == (True, 1, 2)
        work.fences[1].check()
        task.cancel()


async def test_renewal_that_hangs_ends_the_term_in_time() -> None:
    """Work stops when the lease does, not when the request gives up."""
    clock, server = FakeClock(), LeaseServer()
    client = server.client("one")
    one, work = elector(client, "one", clock), Work()
    async with running(one), asyncio.TaskGroup() as group:
        task = group.create_task(one.run_while_leading(work))
        await pass_time(clock, 1)
        client.open.clear()
        await pass_time(clock, TIMES.keep_s)
        assert (one.leading, work.running) == (False, 0)
        task.cancel()


async def test_unheard_answers_do_not_make_two_leaders() -> None:
    """A renewal that arrived although no answer came only keeps others away for longer."""
    clock, server = FakeClock(), LeaseServer()
    client = server.client("one")
    one, two = elector(client, "one", clock), elector(server.client("two"), "two", clock)
    async with running(one, two):
        await pass_time(clock, 5)
        client.deaf = True
        for _ in range(300):
            await pass_time(clock, 0.1)
            assert not (one.leading and two.leading)
        assert two.leading


async def test_work_that_is_done_is_not_run_again_in_the_same_term() -> None:
    """`make` may return; there is nothing to do until the next term."""
    clock, server = FakeClock(), LeaseServer()
    one, runs = elector(server.client("one"), "one", clock), 0

    async def once(made: Fence) -> None:
        nonlocal runs
        made.check()
        runs += 1

    async with running(one), asyncio.TaskGroup() as group:
        task = group.create_task(one.run_while_leading(once))
        await pass_time(clock, 20)
        assert runs == 1
        task.cancel()


async def test_failure_of_the_work_comes_out() -> None:
    """A crash is the caller's to judge; it is no loss of leadership."""
    clock, server = FakeClock(), LeaseServer()
    one = elector(server.client("one"), "one", clock)

    async def crash(made: Fence) -> None:
        raise LookupError("bug")

    async with running(one):
        await pass_time(clock, 1)
        with pytest.raises(LookupError, match="bug"):
            await one.run_while_leading(crash)


async def test_losing_within_the_work_is_no_failure() -> None:
    """`NotLeadingError` from a write only ends this term's work."""
    clock, server = FakeClock(), LeaseServer()
    one, ended = elector(server.client("one"), "one", clock), asyncio.Event()

    async def late(made: Fence) -> None:
        ended.set()
        raise NotLeadingError("late")

    async with running(one), asyncio.TaskGroup() as group:
        task = group.create_task(one.run_while_leading(late))
        await pass_time(clock, 1)
        assert ended.is_set()
        assert not task.done()
        task.cancel()


async def test_lease_that_somebody_deleted_is_made_anew() -> None:
    """The holder finds out at its next renewal."""
    clock, server = FakeClock(), LeaseServer()
    one = elector(server.client("one"), "one", clock)
    async with running(one):
        await pass_time(clock, 1)
        server.lease = None
        await pass_time(clock, 3)
        assert one.leading
        assert server.lease is not None


async def test_metric_tells_who_leads() -> None:
    """1 at the leader, 0 elsewhere, also when it has just lost."""
    clock, server, registry = FakeClock(), LeaseServer(), CollectorRegistry()
    client = server.client("one")
    one = elector(client, "one", clock, ElectionMetrics(registry))

    def value() -> float | None:
        return registry.get_sample_value("leader_election_master_status", {"name": "leader"})

    assert value() == 0
    async with running(one):
        await pass_time(clock, 1)
        assert value() == 1
        client.cut = True
        clock.advance(TIMES.keep_s)
        assert value() == 0


async def test_real_time_works_too() -> None:
    """With the machine's clock and the shortest lease, a successor leads within its time."""
    server, clock, times = LeaseServer(), SystemClock(), LeaseTimes(lease_s=1)
    one, two = (
        LeaseElector(server.client(name), namespace="n", lease="l", identity=name, times=times)
        for name in ("one", "two")
    )
    async with running(one, two) as tasks:
        await eventually(lambda: one.leading)
        tasks[0].cancel()
        began = clock.monotonic()
        await eventually(lambda: two.leading, within_s=3)
        assert clock.monotonic() - began < 2  # 1 s, and what a busy machine adds


async def test_sole_writer_leads_without_asking() -> None:
    """ENABLE_LEADER_ELECTION=false: its fence stands open."""
    clock, work = FakeClock(), Work()
    writer = SoleWriter("leader", clock)
    assert writer.leading
    async with writer, asyncio.TaskGroup() as group:
        tasks = [group.create_task(writer.run()), group.create_task(writer.run_while_leading(work))]
        await settle()
        clock.advance(1e6)
        work.fences[0].check()
        for task in tasks:
            task.cancel()
