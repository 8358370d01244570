"""The keeper over a real store: what streams tell becomes entries, soon, in spite of a writer that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from discovery.controllers.workload_entries import Document, Rules, entry_key
from discovery.controllers.workload_entries_keeper import WorkloadEntryKeeper
from discovery.controllers.workload_entries_memory import MemoryEntries
from discovery.controllers.workload_entries_writer import (
    ChangedError,
    InvalidEntryError,
    UnavailableError,
    WriteError,
)
from discovery.engine import Database
from discovery.registry.from_workload_entry import is_healthy
from discovery.registry.registrant import RefusedError
from discovery.schema.meta import Object, ObjectKey
from discovery.store.state import ObjectChange, Store
from tests.kit.eventually import eventually
from tests.kit.fake_clock import FakeClock
from tests.kit.workload_entries import START, entry_object, registrant, workload_group

KEY = entry_key(registrant())


class Flaky(MemoryEntries):
    """Fails with the errors that it is given, one for each reading or writing."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.objects, store.apply)
        self.errors: list[WriteError | RuntimeError] = []
        self.reads = 0

    async def read(self, key: ObjectKey) -> Document | None:
        """Fail, or read."""
        self.reads += 1
        if self.errors:
            raise self.errors.pop(0)
        return await super().read(key)


class World:
    """A store, a keeper of its entries, and a clock."""

    def __init__(self, *groups: Object) -> None:
        self.clock = FakeClock(START)
        self.store = Store(Database())
        self.store.apply([ObjectChange(group.key, group) for group in groups])
        self.writer = Flaky(self.store)
        self.keeper = self.another("istiod-a")

    def another(self, name: str) -> WorkloadEntryKeeper:
        keeper = WorkloadEntryKeeper(
            self.writer,
            self.store.objects,
            rules=Rules(controller=name),
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        self.store.subscribe(keeper.on_commit)
        return keeper

    @property
    def labels(self) -> Mapping[str, str]:
        return self.entry.meta.labels if self.entry is not None else {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.entry.meta.annotations if self.entry is not None else {}

    @property
    def healthy(self) -> bool | None:
        return is_healthy(self.entry) if self.entry is not None else None

    @property
    def entry(self) -> Object | None:
        return self.store.objects.get(KEY)


@asynccontextmanager
async def serving(keeper: WorkloadEntryKeeper) -> AsyncIterator[None]:
    async with keeper, asyncio.TaskGroup() as group:
        task = group.create_task(keeper.run())
        yield
        task.cancel()


async def test_when_a_machine_is_served_its_entry_is_there() -> None:
    """So that its first configuration has its own listeners."""
    world = World(workload_group())
    async with serving(world.keeper):
        await world.keeper.connect(registrant())
        assert world.entry is not None
        assert world.entry.spec.address == "10.0.0.7"


async def test_health_is_told_at_once_and_a_machine_that_leaves_goes_after_the_grace_period() -> None:
    """The whole life of an entry."""
    world, who = World(workload_group()), registrant(probed=True)
    async with serving(world.keeper):
        await world.keeper.connect(who)
        assert world.healthy is False
        for failure in (None, "refused", None):
            world.keeper.report_health(who, failure)
            await eventually(lambda f=failure: world.healthy is (f is None))
        world.keeper.disconnect(who)
        await eventually(lambda: world.entry is not None and "istio.io/disconnectedAt" in world.entry.meta.annotations)
        world.clock.advance(9.9)
        assert world.annotations
        world.clock.advance(0.2)
        await eventually(lambda: world.entry is None)


async def test_one_that_comes_back_in_time_keeps_its_entry() -> None:
    """Also where the old stream ends after the new one has begun."""
    world = World(workload_group())
    first, second = registrant(), registrant(connected_at=START + timedelta(seconds=1))
    async with serving(world.keeper):
        await world.keeper.connect(first)
        await world.keeper.connect(second)
        world.keeper.disconnect(first)
        world.keeper.report_health(first, "late words of the first stream")
        world.clock.advance(60)
        await world.keeper.connect(registrant(address="10.0.0.8"))  # everything before has been looked at
        assert world.entry is not None
        assert is_healthy(world.entry)
        assert "istio.io/disconnectedAt" not in world.entry.meta.annotations


@pytest.mark.parametrize(
    "error",
    [ChangedError("by somebody"), UnavailableError("busy", 2.0), InvalidEntryError("no"), RuntimeError("a mistake")],
)
async def test_what_cannot_be_written_now_is_written_later(error: WriteError | RuntimeError) -> None:
    """The machine is served meanwhile; one that asks us to wait is left alone for so long."""
    world = World(workload_group())
    world.writer.errors = [error, error]
    async with serving(world.keeper):
        await world.keeper.connect(registrant())
        assert world.entry is None
        for _ in range(2):
            passed = await world.clock.pass_to_next_wake()
            assert passed >= (2.0 if isinstance(error, UnavailableError) else 0.0)
            await eventually(lambda: not world.writer.errors or world.writer.reads > 1)
        await eventually(lambda: world.entry is not None)


async def test_an_entry_follows_its_group_and_comes_back_when_it_is_deleted() -> None:
    """The machine is connected, so the entry is there, and as the group says now."""
    world = World(workload_group())
    async with serving(world.keeper):
        await world.keeper.connect(registrant())
        group = workload_group({"template": {"labels": {"app": "new"}}})
        world.store.apply([ObjectChange(group.key, group)])
        await eventually(lambda: world.labels.get("app") == "new")
        world.store.apply([ObjectChange(KEY, None)])
        assert world.labels == {}
        await eventually(lambda: world.labels.get("app") == "new")


async def test_a_machine_of_no_group_is_refused_and_leaves_no_trace() -> None:
    """Until there is one."""
    world = World()
    async with serving(world.keeper):
        with pytest.raises(RefusedError):
            await world.keeper.connect(registrant())
        world.keeper.disconnect(registrant())
        group = workload_group()
        world.store.apply([ObjectChange(group.key, group)])
        assert world.entry is None
        await world.keeper.connect(registrant())
        assert world.entry is not None


async def test_a_replica_that_ends_says_who_is_not_connected_any_more() -> None:
    """Another one deletes what nobody takes over, some time later."""
    world, who = World(workload_group()), registrant()
    async with world.keeper:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(world.keeper.run())
            await world.keeper.connect(who)
            task.cancel()
        world.keeper.disconnect(who)
    assert world.entry is not None
    assert "istio.io/disconnectedAt" in world.entry.meta.annotations
    async with serving(world.another("istiod-b")):
        await world.clock.next_wake_s()
        world.clock.advance(100)
        await eventually(lambda: world.entry is None)


async def test_entries_of_an_earlier_life_are_swept() -> None:
    """A process that was killed could say nothing; its successor has the same name and finds what it left."""
    world = World(workload_group())
    async with serving(world.keeper):
        await world.keeper.connect(registrant())
    successor = world.another("istiod-a")
    async with serving(successor):
        assert world.entry is not None
        await successor.connect(registrant(address="10.0.0.8", connected_at=START + timedelta(seconds=1)))
        await world.clock.next_wake_s()
        world.clock.advance(100)
        await eventually(lambda: world.entry is None)
        assert entry_key(registrant(address="10.0.0.8")) in world.store.objects


async def test_status_of_an_entry_in_a_file_is_told_again_when_the_file_is_edited() -> None:
    """The file says nothing of health; what the agent said holds on."""
    own = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "WorkloadEntry",
        "metadata": {"name": "by-hand", "namespace": "shop"},
        "spec": {"address": "10.0.0.9", "serviceAccount": "vm"},
    }
    world, who = World(entry_object(own)), registrant(group="", entry="by-hand", probed=True)
    key = entry_key(who)
    async with serving(world.keeper):
        await world.keeper.connect(who)
        assert not is_healthy(world.store.objects[key])
        world.keeper.report_health(who, None)
        await eventually(lambda: is_healthy(world.store.objects[key]))
        world.keeper.report_health(who, "ill")
        await eventually(lambda: not is_healthy(world.store.objects[key]))
        edited = entry_object({**own, "spec": {"address": "10.0.0.10", "serviceAccount": "vm"}})
        world.store.apply([ObjectChange(key, edited)])
        await eventually(lambda: not is_healthy(world.store.objects[key]))
        assert world.store.objects[key].spec.address == "10.0.0.10"
