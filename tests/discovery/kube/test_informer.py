"""A collection as a local store: what is told, to whom, and what it costs; on a scripted API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from discovery.kube.cache import Change
from discovery.kube.envelope import Meta, Name
from discovery.kube.errors import GoneError, NotFoundError, UnreachableError
from discovery.kube.informer import Informer, Selection
from discovery.kube.reflection import Reflection
from discovery.kube.resources import Resource
from discovery.kube.timing import Timing
from tests.kit.eventually import eventually
from tests.kit.fake_clock import FakeClock
from tests.kit.kube_script import ScriptedApi, kube_object

THINGS = Resource("example.org", "v1", "things")
GONE = GoneError("x", 410, "Expired", "")


class _Thing(msgspec.Struct):
    value: int


def decode(raw: bytes) -> int:
    """The value; -1 stands for a mistake of ours."""
    value = msgspec.json.decode(raw, type=_Thing).value
    if value == -1:
        raise RuntimeError("a mistake")
    return value


class World:
    """An informer at work, and what it told."""

    def __init__(self, *, streams: bool = False, resync_s: float = 0.0, selection: Selection = Selection()) -> None:  # noqa: B008
        self.api = ScriptedApi()
        self.clock = FakeClock()
        self.selected = {"n"}
        self.told: list[Change[int]] = []
        self.batches = 0
        self.informer: Informer[int] = Informer(
            self.api,
            THINGS,
            decode,
            Timing(self.clock, self.sleep),
            selection=selection,
            accepts=self.accepts,
            resync_s=resync_s,
            reflection=Reflection(page=2, streams=streams, chance=lambda: 0.5),
        )
        self.informer.subscribe(self.hear)

    def accepts(self, meta: Meta) -> bool:
        return meta.namespace in self.selected

    def hear(self, changes: Sequence[Change[int]]) -> None:
        self.batches += 1
        self.told.extend(changes)

    async def sleep(self, seconds: float) -> None:
        """Only waits that are some."""
        await (self.clock.sleep(seconds) if seconds > 0 else asyncio.sleep(0))

    @property
    def values(self) -> dict[str, int]:
        return {f"{key.namespace}/{key.name}": value for key, value in self.informer.list()}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.informer.run())
            yield
            assert not task.done()
            task.cancel()

    async def watching(self, count: int = 1) -> None:
        """Return when so many watches were opened."""
        await eventually(lambda: len(self.api.watches) >= count)


async def test_pages_then_events() -> None:
    """All pages are there before it is synced; then changes are told one by one."""
    world = World()
    world.api.will_list(kube_object("a", 1), kube_object("b", 1), version=5, more="t")
    world.api.will_list(kube_object("c", 1), version=5)
    async with world.running():
        await world.informer.synced.wait()
        assert world.values == {"n/a": 1, "n/b": 1, "n/c": 1}
        await world.watching()
        assert world.api.current.query["resourceVersion"] == "5"
        world.api.current.send("MODIFIED", kube_object("a", 6))
        world.api.current.send("DELETED", kube_object("b", 7))
        world.api.current.send("ADDED", kube_object("d", 8))
        await eventually(lambda: world.values == {"n/a": 6, "n/c": 1, "n/d": 8})
    assert world.told[3:] == [
        Change(Name("n", "a"), 1, 6),
        Change(Name("n", "b"), 1, None),
        Change(Name("n", "d"), None, 8),
    ]
    assert world.informer.get("n", "d") == 8


async def test_a_stream_is_synced_by_its_bookmark() -> None:
    """One request for everything; resumed after the bookmark's version."""
    world = World(streams=True)
    async with world.running():
        await world.watching()
        world.api.current.send("ADDED", kube_object("a", 1))
        await eventually(lambda: bool(world.told))
        assert not world.informer.synced.is_set()
        world.api.current.bookmark(9, ends_initial=True)
        await world.informer.synced.wait()
        world.api.current.end()
        await world.watching(2)
        assert world.api.current.query["resourceVersion"] == "9"
    assert [path for path, _ in world.api.asked] == ["/apis/example.org/v1/things"] * 2


async def test_events_of_one_turn_merge() -> None:
    """A hundred versions that arrive together are one decoding, one change, one batch."""
    world = World()
    world.api.will_list(version=5)
    async with world.running():
        await world.watching()
        for version in range(100):
            world.api.current.send("MODIFIED", kube_object("a", 10 + version))
        world.api.current.send("ADDED", kube_object("b", 200))
        await eventually(lambda: world.values == {"n/a": 109, "n/b": 200})
    assert (world.informer.decoded, world.batches, len(world.told)) == (2, 1, 2)
    assert world.informer.counts.events == 101


async def test_a_cut_watch_loses_nothing_and_tells_nothing_twice() -> None:
    """It is resumed after the last event, a bookmark included."""
    world = World()
    world.api.will_list(kube_object("a", 1), version=5)
    async with world.running():
        await world.watching()
        world.api.current.send("MODIFIED", kube_object("a", 6))
        world.api.current.bookmark(20)
        world.api.current.end(UnreachableError("cut"))
        await world.clock.pass_to_next_wake()
        await world.watching(2)
        assert world.api.current.query["resourceVersion"] == "20"
        assert world.informer.problem == ""
    assert [change.new for change in world.told] == [1, 6]
    assert world.informer.counts.lists == 1


async def test_after_a_gap_only_what_is_different_is_told() -> None:
    """410: everything is listed again; what did not change is not even decoded, what is missing is gone."""
    world = World()
    world.api.will_list(kube_object("a", 1), kube_object("b", 1), version=5, more="t")
    world.api.will_list(kube_object("c", 1), version=5)
    async with world.running():
        await world.watching()
        world.told.clear()
        world.api.will_list(kube_object("a", 1), kube_object("b", 8), version=9)
        world.api.current.end(GONE)
        await world.watching(2)
    assert world.told == [Change(Name("n", "b"), 1, 8), Change(Name("n", "c"), 1, None)]
    assert (world.informer.decoded, world.informer.counts.lists) == (4, 2)


async def test_while_nothing_answers_the_last_state_stays() -> None:
    """And what is wrong can be read; when it answers again it is no more."""
    world = World()
    world.api.will_list(kube_object("a", 1), version=5)
    async with world.running():
        await world.watching()
        world.api.refusals = [UnreachableError("refused")] * 3
        world.api.current.end(UnreachableError("cut"))
        for _ in range(3):
            await world.clock.pass_to_next_wake()
        await eventually(lambda: world.informer.problem == "refused")
        assert world.values == {"n/a": 1}
        await world.clock.pass_to_next_wake()
        await world.watching(2)
        assert world.informer.problem == ""
    assert len(world.told) == 1


async def test_a_resource_that_is_not_served_is_empty() -> None:
    """It must not keep us from being ready; when it is served it is read."""
    world = World()
    world.api.answers = [NotFoundError("x", 404, "NotFound", "")]
    world.api.will_list(kube_object("a", 1), version=5)
    async with world.running():
        await world.informer.synced.wait()
        assert world.values == {}
        await world.clock.pass_to_next_wake()
        await eventually(lambda: world.values == {"n/a": 1})


async def test_an_object_that_we_fail_on_stops_no_other() -> None:
    """Its last value stays."""
    world = World()
    world.api.will_list(kube_object("a", 1), version=5)
    async with world.running():
        await world.watching()
        world.api.current.send("MODIFIED", {**kube_object("a", 6), "value": -1})
        world.api.current.send("ADDED", kube_object("b", 7))
        await eventually(lambda: world.values == {"n/a": 1, "n/b": 7})


async def test_a_namespace_that_becomes_ours_is_read_and_one_that_ceases_is_forgotten() -> None:
    """Others cost no decoding."""
    world = World()
    world.api.will_list(kube_object("a", 1), kube_object("b", 2, "m"), version=5)
    async with world.running():
        await world.watching()
        assert (world.values, world.informer.decoded) == ({"n/a": 1}, 1)
        world.selected = {"m"}
        world.api.answers = [UnreachableError("once")]
        world.api.will_list(kube_object("b", 2, "m"), version=6)
        world.informer.exclude("n")
        world.informer.include(["m"])
        assert world.values == {}
        await world.clock.pass_to_next_wake()  # the read is tried again
        await eventually(lambda: world.values == {"m/b": 2})
    assert world.api.asked[-1][0] == "/apis/example.org/v1/namespaces/m/things"


async def test_many_namespaces_that_become_ours_are_read_by_one_look() -> None:
    """What is known is not decoded again, and the watch goes on from there."""
    world = World()
    world.api.will_list(kube_object("a", 1), *(kube_object(f"b{n}", 2, f"m{n}") for n in range(9)), version=5)
    async with world.running():
        await world.watching()
        more = {f"m{n}" for n in range(9)}
        world.selected |= more
        world.api.will_list(kube_object("a", 1), *(kube_object(f"b{n}", 2, f"m{n}") for n in range(9)), version=6)
        world.informer.include(more)
        await world.clock.pass_to_next_wake()
        await world.watching(2)
        assert not world.api.watches[0].open
        assert world.values == {"n/a": 1, **{f"m{n}/b{n}": 2 for n in range(9)}}
        assert (world.informer.decoded, world.informer.counts.lists) == (10, 2)
        world.api.current.send("ADDED", kube_object("c", 7, "m3"))
        await eventually(lambda: world.values.get("m3/c") == 7)
    assert {path for path, _ in world.api.asked} == {"/apis/example.org/v1/things"}


async def test_namespaces_that_become_ours_one_after_the_other_are_not_read_one_by_one() -> None:
    """Whoever labels a hundred of them costs a few requests, not a hundred."""
    world = World()
    world.api.will_list(version=5)
    async with world.running():
        await world.watching()
        for number in range(100):
            world.api.will_list(version=6)
            world.informer.include([f"m{number}"])
        await eventually(lambda: len(world.api.asked) > 5)
        await world.clock.pass_to_next_wake()
        await world.watching(2)
    paths = [path for path, _ in world.api.asked]
    assert len([path for path in paths if "namespaces" in path]) <= 4
    assert world.informer.counts.lists == 2


async def test_who_subscribes_late_hears_of_everything() -> None:
    """And who ends it hears no more."""
    world = World()
    world.api.will_list(kube_object("a", 1), version=5)
    late: list[Change[int]] = []
    async with world.running():
        await world.informer.synced.wait()
        end = world.informer.subscribe(late.extend)
        assert late == [Change(Name("n", "a"), None, 1)]
        await world.watching()
        end()
        world.api.current.send("ADDED", kube_object("b", 7))
        await eventually(lambda: world.values == {"n/a": 1, "n/b": 7})
    assert len(late) == 1


async def test_a_resync_tells_everything_again() -> None:
    """Controllers look again even if an event or a write of theirs was lost."""
    world = World(resync_s=600)
    world.api.will_list(kube_object("a", 1), version=5)
    async with world.running():
        await world.watching()
        assert await world.clock.pass_to_next_wake() == 600
        await eventually(lambda: world.told[-1] == Change(Name("n", "a"), 1, 1))


async def test_selectors_are_part_of_every_request() -> None:
    """Namespace in the path, labels and fields in the query."""
    world = World(selection=Selection(namespace="n", labels="app=x", fields="metadata.name=a"))
    world.api.will_list(version=5)
    async with world.running():
        await world.watching()
    for path, query in world.api.asked:
        assert path == "/apis/example.org/v1/namespaces/n/things"
        assert (query["labelSelector"], query["fieldSelector"]) == ("app=x", "metadata.name=a")
