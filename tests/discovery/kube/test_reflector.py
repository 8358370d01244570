"""Following a collection: requests in order, failures counted and told once. (What arrives: `test_informer`.)"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from discovery.kube.envelope import Event, Item
from discovery.kube.errors import KubeError, UnreachableError
from discovery.kube.reflection import Reflection
from discovery.kube.reflector import Reflector
from tests.kit.eventually import eventually
from tests.kit.fake_clock import FakeClock
from tests.kit.kube_script import ScriptedApi, kube_object


class Log:
    """A sink that writes down what it is given."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def begin(self) -> None:
        self.calls.append("begin")

    def items(self, items: Sequence[Item]) -> None:
        self.calls.append("items " + " ".join(item.meta.name for item in items))

    def end(self) -> None:
        self.calls.append("end")

    def event(self, event: Event) -> None:
        self.calls.append(f"{event.type} {event.item.meta.name}")


async def test_a_whole_life() -> None:
    """Pages, a watch, a failure in between, and each is counted; the sink hears them in order."""
    api, sink, clock = ScriptedApi(), Log(), FakeClock()
    failures: list[KubeError] = []
    reflector = Reflector(
        api, "/x", {}, sink, clock=clock, reflection=Reflection(page=1, streams=False), sleep=clock.sleep
    )
    reflector.on_failure(failures.append)
    api.will_list(kube_object("a", 1), version=3, more="t")
    api.answers.append(UnreachableError("down"))
    api.will_list(kube_object("b", 2), version=3)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(reflector.run())
        await clock.pass_to_next_wake()  # between two pages: none
        await eventually(lambda: reflector.problem == "down")
        await clock.pass_to_next_wake()
        await eventually(lambda: "end" in sink.calls)
        await clock.pass_to_next_wake()
        await eventually(lambda: len(api.watches) == 1)
        api.current.bookmark(7)
        api.current.send("DELETED", kube_object("a", 9))
        await eventually(lambda: len(sink.calls) == 5)
        task.cancel()
    assert sink.calls == ["begin", "items a", "items b", "end", "DELETED a"]
    assert (reflector.version, reflector.problem) == ("9", "")
    counts = reflector.counts
    assert (counts.lists, counts.watches, counts.events, counts.failures) == (1, 1, 1, 1)
    assert [str(error) for error in failures] == ["down"]
    assert not api.current.open


async def test_another_look_ends_what_is_under_way() -> None:
    """Between the pages of a list, and within a watch; asked for several times at once, it is one."""
    api, sink = ScriptedApi(), Log()
    reflector = Reflector(
        api, "/x", {}, sink, clock=FakeClock(), reflection=Reflection(page=1, streams=False), sleep=lambda _: _no_time()
    )
    api.will_list(kube_object("a", 1), version=3, more="t")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(reflector.run())
        await eventually(lambda: len(api.asked) == 2)  # the second page does not come
        api.will_list(kube_object("a", 1), version=4)
        reflector.look_again()
        reflector.look_again()
        await eventually(lambda: len(api.watches) == 1)
        api.will_list(kube_object("b", 5), version=6)
        reflector.look_again()
        await eventually(lambda: len(api.watches) == 2)
        task.cancel()
    assert sink.calls == ["begin", "items a", "begin", "items a", "end", "begin", "items b", "end"]
    assert reflector.version == "6"
    assert reflector.counts.failures == 0


async def _no_time() -> None:
    await asyncio.sleep(0)
