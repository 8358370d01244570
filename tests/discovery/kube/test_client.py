"""Requests to an API server, over real connections to one that answers as each test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from discovery.kube.client import KubeClient, PatchKind
from discovery.kube.config import Access, KubeConfig
from discovery.kube.errors import GoneError, TooManyRequestsError, UnauthorizedError, UnreachableError
from tests.kit.fake_clock import FakeClock

DEFAULTS = KubeConfig()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Tokens:
    """Credentials that are replaced when they were refused."""

    def __init__(self, *tokens: str) -> None:
        self.left = list(tokens)

    async def authorization(self, *, renew: bool = False) -> str:
        if renew:
            self.left.pop(0)
        return f"Bearer {self.left[0]}"


@asynccontextmanager
async def serving(handler: Handler, config: KubeConfig = DEFAULTS, *tokens: str) -> AsyncIterator[KubeClient]:
    """A client of a server that answers everything with the handler."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    clock = FakeClock()
    async with TestServer(application) as server:
        access = Access(server=str(server.make_url("")).rstrip("/"), credentials=Tokens(*tokens or ("t",)))
        client = KubeClient(access, config, clock=clock, sleep=clock.sleep)
        try:
            yield client
        finally:
            await client.close()


async def echo(request: web.Request) -> web.Response:
    """What arrived."""
    return web.json_response(
        {
            "method": request.method,
            "path": request.path_qs,
            "type": request.headers.get("Content-Type", ""),
            "authorization": request.headers.get("Authorization", ""),
            "agent": request.headers.get("User-Agent", ""),
            "body": await request.text(),
        }
    )


async def test_each_verb_is_sent_as_the_api_wants_it() -> None:
    """Method, path, query, content type and body, as bytes in and bytes out."""
    async with serving(echo) as client:
        answers = [
            await client.get("/api/v1/pods", {"limit": "5", "labelSelector": "a=b,c"}),
            await client.create("/x", b'{"a":1}'),
            await client.replace("/x/y", b"{}"),
            await client.patch("/x/y", b"{}", PatchKind.APPLY, {"fieldManager": "me"}),
            await client.delete("/x/y"),
        ]
    assert [answer.partition(b', "authorization"')[0] for answer in answers] == [
        b'{"method": "GET", "path": "/api/v1/pods?limit=5&labelSelector=a%3Db,c", "type": ""',
        b'{"method": "POST", "path": "/x", "type": "application/json"',
        b'{"method": "PUT", "path": "/x/y", "type": "application/json"',
        b'{"method": "PATCH", "path": "/x/y?fieldManager=me", "type": "application/apply-patch+yaml"',
        b'{"method": "DELETE", "path": "/x/y", "type": ""',
    ]
    assert b'"authorization": "Bearer t", "agent": "pilot-discovery"' in answers[0]


async def test_a_refusal_is_an_error_of_its_kind() -> None:
    """With what the API server says, and when to come back."""

    async def refuse(_: web.Request) -> web.Response:
        return web.json_response(
            {"reason": "TooManyRequests", "message": "later"}, status=429, headers={"Retry-After": "2"}
        )

    async with serving(refuse) as client:
        with pytest.raises(TooManyRequestsError, match="GET /x: 429 TooManyRequests: later") as caught:
            await client.get("/x")
    assert caught.value.retry_after_s == 2


async def test_refused_credentials_are_renewed_once() -> None:
    """A rotated token is not worth an error; one that stays refused is."""

    async def picky(request: web.Request) -> web.Response:
        good = request.headers["Authorization"] == "Bearer new"
        return web.Response(text="ok") if good else web.json_response({}, status=401)

    async with serving(picky, KubeConfig(), "old", "new") as client:
        assert await client.get("/x") == b"ok"
    async with serving(picky, KubeConfig(), "old", "older", "oldest") as client:
        with pytest.raises(UnauthorizedError):
            await client.get("/x")


async def test_no_answer_is_unreachable() -> None:
    """Refused, or silent beyond the deadline."""

    async def silent(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(silent, KubeConfig(timeout_s=0.05)) as client:
        with pytest.raises(UnreachableError, match="GET /x: no answer in time"):
            await client.get("/x")
    access = Access(server="http://127.0.0.1:1", credentials=Tokens("t"))
    client = KubeClient(access, KubeConfig(), clock=FakeClock())
    with pytest.raises(UnreachableError, match="GET /x"):
        await client.get("/x")
    await client.close()


async def test_our_rate_is_limited() -> None:
    """What is beyond the burst waits for its turn."""
    clock = FakeClock()
    application = web.Application()
    application.router.add_get("/x", echo)
    async with TestServer(application) as server, asyncio.TaskGroup() as group:
        access = Access(server=str(server.make_url("")).rstrip("/"), credentials=Tokens("t"))
        client = KubeClient(access, KubeConfig(qps=2, burst=1), clock=clock, sleep=clock.sleep)
        await client.get("/x")
        waiting = group.create_task(client.get("/x"))
        assert await clock.pass_to_next_wake() == 0.5
        assert b"GET" in await waiting
        await client.close()


async def streaming(request: web.Request, *pieces: bytes, cut: bool = False) -> web.StreamResponse:
    """Answer a watch with these pieces, and break off if told so."""
    response = web.StreamResponse()
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
    if cut:
        assert request.transport is not None
        request.transport.abort()
    return response


async def test_a_watch_gives_its_events_one_by_one() -> None:
    """Also ones that arrive in pieces, or several at once, or larger than a buffer; the end is an end."""
    large = b'{"x":"' + b"y" * 1_000_000 + b'"}'

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.query == {"watch": "1", "resourceVersion": "7"}
        return await streaming(request, b'{"a":', b'1}\n{"b":2}\n', large + b"\n")

    async with serving(handle) as client, client.watch("/x", {"resourceVersion": "7"}) as lines:
        assert [line async for line in lines] == [b'{"a":1}', b'{"b":2}', large]


@pytest.mark.parametrize("cut", [True, False])
async def test_a_watch_that_ends_within_an_event_is_an_error(*, cut: bool) -> None:
    """Half an event is none; what came before it counts."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await streaming(request, b'{"a":1}\n{"b"', cut=cut)

    got = []
    async with serving(handle) as client:
        with pytest.raises(UnreachableError, match="WATCH /x"):  # noqa: PT012 - the error comes while iterating
            async with client.watch("/x", {}) as lines:
                async for line in lines:
                    got.append(line)  # noqa: PERF401 - what came before the error is wanted
    assert got == [b'{"a":1}']


async def test_a_watch_that_is_refused_is_an_error() -> None:
    """A resourceVersion that is too old is told by the status too."""

    async def handle(_: web.Request) -> web.Response:
        return web.json_response({"reason": "Expired"}, status=410)

    async with serving(handle) as client:
        with pytest.raises(GoneError):
            async with client.watch("/x", {}):
                pass
