from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from discovery.kube.events import EventLimits, EventRecorder, EventType, Happening, ObjectReference
from discovery.kube.lease import NotLeadingError
from discovery.kube.timing import Timing
from discovery.kube.writer import FencedWriter
from tests.kit.eventually import eventually
from tests.kit.fake_clock import FakeClock
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_clients import client_of, lasting_fence, running


def happening(namespace: str, name: str = "reviews", note: str = "weights sum to 90") -> Happening:
    about = ObjectReference(
        api_version="networking.istio.io/v1", kind="VirtualService", namespace=namespace, name=name, uid=f"uid-{name}"
    )
    return Happening(
        regarding=about, type=EventType.WARNING, reason="InvalidConfiguration", action="Validate", note=note
    )


@asynccontextmanager
async def recording(api: KubeApi, recorder: EventRecorder) -> AsyncIterator[None]:
    async with client_of(api) as client:
        writer = FencedWriter(client, lasting_fence())
        async with running(lambda: recorder.lead(writer, (NotLeadingError,))):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            yield


def recorder(**limits: Any) -> EventRecorder:
    return EventRecorder(component="istiod", instance="istiod-1", limits=EventLimits(**limits))


async def events(api: KubeApi, namespace: str) -> list[dict[str, Any]]:
    return await api.list_all("events.k8s.io/v1", "Event", namespace)


async def test_event_says_what_happened_to_which_object(kube_api: KubeApi) -> None:
    """As kubectl describe shows it."""
    namespace, made = await kube_api.new_namespace(), recorder()
    async with recording(kube_api, made):
        made.record(happening(namespace))

        async def told() -> bool:
            return len(await events(kube_api, namespace)) == 1

        await eventually(told)
    [event] = await events(kube_api, namespace)
    assert (event["type"], event["reason"], event["note"]) == ("Warning", "InvalidConfiguration", "weights sum to 90")
    assert event["regarding"]["name"] == "reviews"
    assert event["regarding"]["uid"] == "uid-reviews"
    assert (event["reportingController"], event["reportingInstance"]) == ("istiod", "istiod-1")
    assert event["metadata"]["name"].startswith("reviews.")


async def test_repetition_raises_the_count(kube_api: KubeApi) -> None:
    """One Event, however often; other words make another."""
    namespace, made = await kube_api.new_namespace(), recorder()
    async with recording(kube_api, made):
        made.record(happening(namespace))

        async def told(count: int) -> bool:
            found = await events(kube_api, namespace)
            return [event.get("series", {}).get("count", 1) for event in found] == [count]

        await eventually(lambda: told(1))
        for _ in range(3):
            made.record(happening(namespace))
        await eventually(lambda: told(4))
        made.record(happening(namespace, note="something else"))

        async def two() -> bool:
            return len(await events(kube_api, namespace)) == 2

        await eventually(two)


async def test_event_that_expired_is_told_anew(kube_api: KubeApi) -> None:
    """The API server forgets Events after an hour."""
    namespace, made = await kube_api.new_namespace(), recorder()
    async with recording(kube_api, made):
        made.record(happening(namespace))

        async def count() -> int:
            return len(await events(kube_api, namespace))

        async def there() -> bool:
            return await count() == 1

        await eventually(there)
        [event] = await events(kube_api, namespace)
        await kube_api.delete({**event, "kind": "Event", "apiVersion": "events.k8s.io/v1"})
        made.record(happening(namespace))
        await eventually(there)
    [again] = await events(kube_api, namespace)
    assert again["series"]["count"] == 2


async def test_flood_about_one_object_is_cut(kube_api: KubeApi) -> None:
    """What does not fit is dropped and counted; others are told of all the same."""
    namespace, made = await kube_api.new_namespace(), recorder(burst=3)
    async with recording(kube_api, made):
        for number in range(50):
            made.record(happening(namespace, note=f"problem {number}"))
        made.record(happening(namespace, "ratings"))

        async def told() -> bool:
            return len(await events(kube_api, namespace)) == 4

        await eventually(told)
    assert made.counts.count("dropped") == 47
    assert made.counts.count("written") == 4


async def test_rate_comes_back(kube_api: KubeApi) -> None:
    """An object may be told of again later."""
    namespace, clock = await kube_api.new_namespace(), FakeClock()
    made = EventRecorder(
        component="istiod", instance="i", timing=Timing(clock=clock), limits=EventLimits(burst=1, refill_s=60)
    )
    async with recording(kube_api, made):
        made.record(happening(namespace, note="a"))
        made.record(happening(namespace, note="b"))
        clock.advance(60)
        made.record(happening(namespace, note="c"))
        assert made.counts.count("dropped") == 1

        async def told() -> bool:
            return {event["note"] for event in await events(kube_api, namespace)} == {"a", "c"}

        await eventually(told)


async def test_who_does_not_lead_says_nothing(kube_api: KubeApi) -> None:
    """And does not save it up: by the time it leads that is history."""
    namespace, made = await kube_api.new_namespace(), recorder()
    made.record(happening(namespace))
    async with recording(kube_api, made):
        made.record(happening(namespace, note="now"))

        async def told() -> bool:
            return [event["note"] for event in await events(kube_api, namespace)] == ["now"]

        await eventually(told)


async def test_memory_is_bounded(kube_api: KubeApi) -> None:
    """Of very many happenings the oldest are forgotten, and told anew should they repeat."""
    namespace, made = await kube_api.new_namespace(), recorder(kept=5, objects=5)
    async with recording(kube_api, made):
        for number in range(20):
            made.record(happening(namespace, f"object-{number}"))
        assert len(made._told) == 5
        assert len(made._buckets) == 5


async def test_long_note_is_cut_between_characters(kube_api: KubeApi) -> None:
    """The API server takes 1024 bytes."""
    namespace, made = await kube_api.new_namespace(), recorder()
    async with recording(kube_api, made):
        made.record(happening(namespace, note="ü" * 2000))

        async def told() -> bool:
            return [event["note"] for event in await events(kube_api, namespace)] == ["ü" * 512]

        await eventually(told)


@pytest.mark.kube_double
async def test_event_that_is_refused_is_given_up(kube_api: KubeApi) -> None:
    """A namespace that is gone: nobody reads its Events; the queue goes on."""
    namespace, made = await kube_api.new_namespace(), recorder()
    async with recording(kube_api, made):
        made.record(msgspec.structs.replace(happening(namespace), reason="x" * 10))
        made.record(happening("never-was"))

        async def told() -> bool:
            return len(await events(kube_api, namespace)) == 1

        await eventually(told)
