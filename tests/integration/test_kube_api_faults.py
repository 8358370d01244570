"""What the API server double can be made to do wrong; nothing of this could be asked of the real one."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.kit.eventually import eventually
from tests.kit.kube_api.errors import StatusError
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_api.objects import Json, meta

pytestmark = pytest.mark.kube_double

SECRETS = "/api/v1/namespaces/default/secrets"


def secret(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}}


async def version(api: KubeApi) -> str:
    """The newest version."""
    newest: str = meta((await api.call("GET", SECRETS)).json)["resourceVersion"]
    return newest


@pytest.mark.parametrize("mid_object", [True, False])
async def test_cut_breaks_the_connection(kube_api: KubeApi, *, mid_object: bool) -> None:
    """What was sent before arrives, then the client gets a broken connection, not an orderly end."""
    async with kube_api.watch("v1", "Secret", resourceVersion=await version(kube_api)) as watch:
        await kube_api.create(secret("a"))
        assert await watch.take(1) == [("ADDED", "a")]
        assert kube_api.faults.cut_watches("secrets", mid_object=mid_object) == 1
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await watch.next()
    assert kube_api.faults.cut_watches("secrets") == 0


async def test_open_watches_can_be_told_gone(kube_api: KubeApi) -> None:
    """They get an error event with code 410, and end."""
    async with kube_api.watch("v1", "Secret", resourceVersion=await version(kube_api)) as watch:
        kube_api.faults.gone_watches("secrets")
        events = await watch.rest()
    assert [(event.type, event.object["code"], event.object["reason"]) for event in events] == [
        ("ERROR", 410, "Expired")
    ]


async def test_open_watches_can_be_ended(kube_api: KubeApi) -> None:
    """They end as after their time."""
    async with kube_api.watch("v1", "Secret", resourceVersion=await version(kube_api)) as watch:
        kube_api.faults.end_watches("secrets")
        assert await watch.rest() == []


async def test_compaction_expires_old_versions(kube_api: KubeApi) -> None:
    """A watch from before gets 410 as an event, a list of then and a page of then get it as an answer."""
    before = await version(kube_api)
    for name in ("a", "b", "c"):
        await kube_api.create(secret(name))
    first = (await kube_api.call("GET", SECRETS, query={"limit": "1"})).json
    await kube_api.create(secret("d"))
    kube_api.faults.compact()
    async with kube_api.watch("v1", "Secret", resourceVersion=before) as watch:
        events = await watch.rest()
    assert [(event.type, event.object["code"]) for event in events] == [("ERROR", 410)]
    exact = {"resourceVersion": before, "resourceVersionMatch": "Exact"}
    assert (await kube_api.call("GET", SECRETS, query=exact)).status == 410
    expired = await kube_api.call("GET", SECRETS, query={"limit": "1", "continue": meta(first)["continue"]})
    assert (expired.status, expired.json["reason"]) == (410, "Expired")
    fresh = {"limit": "9", "continue": meta(expired.json)["continue"]}
    rest = (await kube_api.call("GET", SECRETS, query=fresh)).json
    assert [meta(item)["name"] for item in rest["items"]] == ["b", "c", "d"]
    async with kube_api.watch("v1", "Secret", resourceVersion=await version(kube_api)) as watch:
        await kube_api.create(secret("e"))
        assert await watch.take(1) == [("ADDED", "e")]


async def test_requests_can_be_refused_a_number_of_times(kube_api: KubeApi) -> None:
    """429 with `Retry-After`, 500, 410 for watches or any error, so often as wanted, then all is well."""
    faults = kube_api.faults
    faults.throttle(1, "secrets", retry_after_s=7)
    answer = await kube_api.call("GET", SECRETS)
    assert (answer.status, answer.headers["Retry-After"], answer.json["reason"]) == (429, "7", "TooManyRequests")
    assert answer.json["details"]["retryAfterSeconds"] == 7
    faults.fail(2, "secrets", "create")
    assert (await kube_api.call("GET", SECRETS)).status == 200
    assert [(await kube_api.call("POST", SECRETS, secret("a"))).status for _ in range(3)] == [500, 500, 201]
    faults.gone_on_next_watch("secrets")
    assert (await kube_api.call("GET", SECRETS)).status == 200
    async with kube_api.watch("v1", "Secret") as watch:
        assert watch.status == 410
    faults.refuse(StatusError(503, "ServiceUnavailable", "down"), 1, "secrets", "list")
    assert (await kube_api.call("GET", SECRETS)).status == 503
    faults.throttle(5, "secrets")
    faults.clear()
    assert (await kube_api.call("GET", SECRETS)).status == 200


async def test_streaming_lists_can_be_refused(kube_api: KubeApi) -> None:
    """As by servers that do not know them."""
    kube_api.faults.watch_list_refused = True
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with kube_api.watch("v1", "Secret", **query) as watch:
        assert watch.status == 422
        assert "sendInitialEvents" in (await watch.refusal())["message"]


async def test_answers_can_be_slow(kube_api: KubeApi) -> None:
    """A latency is added to every request."""
    kube_api.faults.latency_s = 60
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await kube_api.call("GET", SECRETS)
    kube_api.faults.clear()
    assert (await kube_api.call("GET", SECRETS)).status == 200


async def test_bookmarks_can_be_had_at_once(kube_api: KubeApi) -> None:
    """Only watches that allow them get one; it has the newest version, also of writes that the watch does not see."""
    start = await version(kube_api)
    async with (
        kube_api.watch("v1", "Secret", resourceVersion=start, allowWatchBookmarks="true") as watch,
        kube_api.watch("v1", "Secret", resourceVersion=start) as plain,
    ):
        await kube_api.new_namespace()
        newest = await version(kube_api)
        kube_api.faults.bookmark()
        event = await watch.next()
        await kube_api.create(secret("a"))
        assert await plain.take(1) == [("ADDED", "a")]
    assert event is not None
    assert (event.type, meta(event.object)) == ("BOOKMARK", {"resourceVersion": newest})


async def test_clock_jumps(kube_api: KubeApi) -> None:
    """Objects get the time of the server's clock, and tokens end by it."""
    token = await kube_api.token_for("default", "web")
    before = await kube_api.create(secret("a"))
    kube_api.faults.jump_clock(7200)
    after = await kube_api.create(secret("b"))
    assert meta(before)["creationTimestamp"] < meta(after)["creationTimestamp"]
    assert (await kube_api.call("GET", SECRETS, token=token)).status == 401


async def test_restart_keeps_port_and_state(kube_api: KubeApi) -> None:
    """While it is stopped nobody answers; then everything is as it was, at the same address; watches can resume."""
    made = await kube_api.create(secret("a"))
    async with kube_api.watch("v1", "Secret", resourceVersion=meta(made)["resourceVersion"]) as watch:
        await kube_api.faults.stop()
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await watch.next()
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await kube_api.call("GET", SECRETS)
    await kube_api.faults.restart()
    assert await kube_api.get("v1", "Secret", "a", "default") == made
    async with kube_api.watch("v1", "Secret", resourceVersion=meta(made)["resourceVersion"]) as watch:
        await kube_api.create(secret("b"))
        assert await watch.take(1) == [("ADDED", "b")]
    await eventually(lambda: kube_api.faults.end_watches("secrets") == 0)


async def test_client_certificates_are_users(kube_api: KubeApi) -> None:
    """The common name of a client certificate is the user, its organizations are groups."""
    context = kube_api.double.client_context("alice", "system:masters")
    async with (
        aiohttp.ClientSession() as session,
        session.get(kube_api.url + SECRETS, ssl=context) as answer,
    ):
        assert answer.status == 200
    assert [call.user for call in kube_api.requests][-1] == "alice"
