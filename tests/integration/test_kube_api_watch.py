"""Watches: what is sent, from when on, and how they end, for the double and for the real server alike."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_api.objects import Json, meta

pytestmark = pytest.mark.kube


def secret(namespace: str, name: str, **fields: Any) -> Json:
    """A Secret, of which a fresh namespace has none; fields go to the metadata."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace, **fields}}


async def present_version(api: KubeApi) -> str:
    """The server's newest version."""
    version: str = meta((await api.call("GET", "/api/v1/secrets")).json)["resourceVersion"]
    return version


async def test_watch_from_a_list_sees_what_follows(kube_api: KubeApi) -> None:
    """From a list's version on every write is told once, in order, with the object after it."""
    namespace = await kube_api.new_namespace()
    await kube_api.create(secret(namespace, "before"))
    async with kube_api.watch("v1", "Secret", namespace, resourceVersion=await present_version(kube_api)) as watch:
        made = await kube_api.create(secret(namespace, "one"))
        changed = await kube_api.replace({**made, "stringData": {"a": "b"}})
        await kube_api.delete(made)
        added, modified, deleted = [await watch.next() for _ in range(3)]
    assert added is not None
    assert modified is not None
    assert deleted is not None
    assert (added.type, added.object) == ("ADDED", made)
    assert (modified.type, modified.object) == ("MODIFIED", changed)
    assert (deleted.type, deleted.object["data"]) == ("DELETED", changed["data"])
    assert deleted.version > modified.version


async def test_watch_can_resume(kube_api: KubeApi) -> None:
    """From the version of the last event seen, what was missed comes first and nothing comes twice."""
    namespace = await kube_api.new_namespace()
    version = await present_version(kube_api)
    for name in ("a", "b", "c"):
        await kube_api.create(secret(namespace, name))
    async with kube_api.watch("v1", "Secret", namespace, resourceVersion=version) as watch:
        first = await watch.next()
    assert first is not None
    async with kube_api.watch("v1", "Secret", namespace, resourceVersion=str(first.version)) as watch:
        await kube_api.create(secret(namespace, "d"))
        assert await watch.take(3) == [("ADDED", "b"), ("ADDED", "c"), ("ADDED", "d")]


@pytest.mark.parametrize("version", ["", "0"])
async def test_watch_without_version_starts_with_the_state(kube_api: KubeApi, version: str) -> None:
    """Everything that is there is told as added, then what follows."""
    namespace = await kube_api.new_namespace()
    await kube_api.create(secret(namespace, "a"))
    await kube_api.create(secret(namespace, "b"))
    assert len(await kube_api.list_all("v1", "Secret", namespace)) == 2
    async with kube_api.watch("v1", "Secret", namespace, resourceVersion=version) as watch:
        assert sorted(await watch.take(2)) == [("ADDED", "a"), ("ADDED", "b")]
        await kube_api.create(secret(namespace, "c"))
        assert await watch.take(1) == [("ADDED", "c")]


async def test_watch_goes_by_selector(kube_api: KubeApi) -> None:
    """An object that comes to match is added, one that ceases to match is deleted, others are not told."""
    namespace = await kube_api.new_namespace()
    version = await present_version(kube_api)
    async with kube_api.watch("v1", "Secret", namespace, resourceVersion=version, labelSelector="on=yes") as watch:
        one = await kube_api.create(secret(namespace, "one"))
        one = await kube_api.replace({**one, "metadata": {**meta(one), "labels": {"on": "yes"}}})
        one = await kube_api.replace({**one, "metadata": {**meta(one), "labels": {"on": "yes", "x": "y"}}})
        one = await kube_api.replace({**one, "metadata": {**meta(one), "labels": {"on": "no"}}})
        await kube_api.create(secret(namespace, "two", labels={"on": "yes"}))
        events = [await watch.next() for _ in range(4)]
    told = [(event.type, event.name, meta(event.object)["labels"]["on"]) for event in events if event is not None]
    assert told == [
        ("ADDED", "one", "yes"),
        ("MODIFIED", "one", "yes"),
        ("DELETED", "one", "yes"),
        ("ADDED", "two", "yes"),
    ]
    left = events[2]
    assert left is not None
    assert left.version == int(meta(one)["resourceVersion"])


async def test_watch_of_one_name(kube_api: KubeApi) -> None:
    """A field selector on the name watches one object."""
    namespace = await kube_api.new_namespace()
    version = await present_version(kube_api)
    selector = {"fieldSelector": "metadata.name=b", "resourceVersion": version}
    async with kube_api.watch("v1", "Secret", namespace, **selector) as watch:
        await kube_api.create(secret(namespace, "a"))
        await kube_api.create(secret(namespace, "b"))
        assert await watch.take(1) == [("ADDED", "b")]


async def test_initial_events_end_with_a_bookmark(kube_api: KubeApi) -> None:
    """A streaming list sends the state, then a bookmark that says so, with the version to resume from."""
    namespace = await kube_api.new_namespace()
    await kube_api.create(secret(namespace, "a"))
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with kube_api.watch("v1", "Secret", namespace, **query) as watch:
        added, bookmark = await watch.next(), await watch.next()
        assert added is not None
        assert bookmark is not None
        assert (added.type, added.name) == ("ADDED", "a")
        assert (bookmark.type, bookmark.object["kind"]) == ("BOOKMARK", "Secret")
        assert meta(bookmark.object)["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert bookmark.version >= added.version
        await kube_api.create(secret(namespace, "b"))
        assert await watch.take(1) == [("ADDED", "b")]


@pytest.mark.parametrize(
    "query",
    [
        {"sendInitialEvents": "true"},
        {"sendInitialEvents": "true", "resourceVersionMatch": "Exact", "resourceVersion": "5"},
        {"resourceVersionMatch": "NotOlderThan", "resourceVersion": "5"},
    ],
)
async def test_contradictory_watches_are_refused(kube_api: KubeApi, query: dict[str, str]) -> None:
    """Initial events need `NotOlderThan`, and only they have a match."""
    async with kube_api.watch("v1", "Secret", **query) as watch:
        assert watch.status == 422
        assert (await watch.refusal())["reason"] == "Invalid"


async def test_watch_ends_when_its_time_is_over(kube_api: KubeApi) -> None:
    """`timeoutSeconds` is an orderly end."""
    namespace = await kube_api.new_namespace()
    await kube_api.create(secret(namespace, "a"))
    assert len(await kube_api.list_all("v1", "Secret", namespace)) == 1
    async with kube_api.watch("v1", "Secret", namespace, resourceVersion="0", timeoutSeconds="1") as watch:
        assert [(event.type, event.name) for event in await watch.rest()] == [("ADDED", "a")]


async def test_watch_of_metadata_alone(kube_api: KubeApi) -> None:
    """Events carry `PartialObjectMetadata` if that is what the client accepts."""
    namespace = await kube_api.new_namespace()
    version = await present_version(kube_api)
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    async with kube_api.watch("v1", "Secret", namespace, accept=accept, resourceVersion=version) as watch:
        await kube_api.create(secret(namespace, "a"))
        event = await watch.next()
    assert event is not None
    assert (event.type, event.object["kind"], "type" in event.object) == ("ADDED", "PartialObjectMetadata", False)


async def test_watch_everywhere(kube_api: KubeApi) -> None:
    """Without a namespace all of them are watched."""
    first, second = await kube_api.new_namespace(), await kube_api.new_namespace()
    version = await present_version(kube_api)
    async with kube_api.watch("v1", "Secret", resourceVersion=version) as watch:
        await kube_api.create(secret(first, "a"))
        await kube_api.create(secret(second, "b"))
        mine = (first, second)
        seen = [await watch.until(lambda event: meta(event.object).get("namespace") in mine) for _ in mine]
    assert [(meta(event.object)["namespace"], event.name) for event in seen] == [(first, "a"), (second, "b")]


async def test_deletion_is_told_in_steps(kube_api: KubeApi) -> None:
    """An object held by a finalizer is modified when it is deleted, and deleted when it is released."""
    namespace = await kube_api.new_namespace()
    version = await present_version(kube_api)
    async with kube_api.watch("v1", "Secret", namespace, resourceVersion=version) as watch:
        held = secret(namespace, "held", finalizers=["example.org/hold"])
        await kube_api.create(held)
        await kube_api.delete(held)
        marked = await kube_api.get("v1", "Secret", "held", namespace)
        assert marked is not None
        await kube_api.replace({**marked, "metadata": {**meta(marked), "finalizers": []}})
        events = [await watch.next() for _ in range(3)]
    assert [event.type for event in events if event] == ["ADDED", "MODIFIED", "DELETED"]
