from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from discovery.runtime.http import HttpServer, Request, Response
from examples.demo import traffic as traffic_module
from examples.demo.errors import DemoError
from examples.demo.layout import Workload
from examples.demo.traffic import Hop, Traffic, refusal_of_plaintext, version_of

CLIENT = Workload(name="client", namespace="n", address="127.0.0.1", labels={}, service_account="c")


def _page(version: str) -> Response:
    answer = {"name": "productpage", "calls": [{"name": "reviews", "version": version}]}
    return Response(body=msgspec.json.encode(answer))


@asynccontextmanager
async def _sidecar(
    monkeypatch: pytest.MonkeyPatch, handler: Callable[[Request], Awaitable[Response]]
) -> AsyncIterator[Traffic]:
    """Traffic of a client whose sidecar is this handler."""
    async with HttpServer("sidecar", handler, host="127.0.0.1") as server, asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        monkeypatch.setattr(traffic_module, "SERVICE_PORT", server.port)
        yield Traffic(CLIENT)
        task.cancel()


async def test_requests_name_the_service_and_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to the sidecar, the Host header says what is wanted."""
    seen: list[tuple[str, str]] = []

    async def handler(request: Request) -> Response:
        seen.append((request.header("host").split(":")[0], request.header("end-user")))
        return _page("v1")

    async with _sidecar(monkeypatch, handler) as traffic:
        await traffic.ask()
        answer = await traffic.ask("jason")
    assert seen == [("productpage", ""), ("productpage", "jason")]
    assert version_of(answer, "reviews") == "v1"


async def test_versions_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many requests as wanted; answers without the service, or without sense, count as errors."""
    answers = iter([_page("v1"), _page("v2"), _page("v1"), Response(status=503, body=b"no healthy upstream")])

    async def handler(_: Request) -> Response:
        return next(answers)

    async with _sidecar(monkeypatch, handler) as traffic:
        counts = await traffic.count_versions("reviews", 4)
    assert counts == {"v1": 2, "v2": 1, "error: 503 no healthy upstream": 1}


async def test_a_move_is_over_when_enough_in_a_row_went_the_new_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """One request the old way starts the count anew."""
    versions = iter(["v1", "v2", "v1"])

    async def handler(_: Request) -> Response:
        return _page(next(versions, "v2"))

    async with _sidecar(monkeypatch, handler) as traffic:
        now = asyncio.get_running_loop().time()
        move = await traffic.watch_move("reviews", "v2", edited_at=now, certain=20, deadline_s=30)
    assert move.settled
    assert move.requests >= 22
    assert 0 <= move.last_old_s < 30


async def test_a_move_that_never_comes_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """It did not settle then."""

    async def handler(_: Request) -> Response:
        return _page("v1")

    async with _sidecar(monkeypatch, handler) as traffic:
        now = asyncio.get_running_loop().time()
        move = await traffic.watch_move("reviews", "v2", edited_at=now, certain=20, deadline_s=0.02)
    assert not move.settled


def test_an_error_anywhere_counts() -> None:
    """A page without its ratings is no good page."""
    answer = Hop(name="p", calls=(Hop(name="reviews", version="v2", calls=(Hop(name="ratings", error="503"),)),))
    assert version_of(answer, "reviews") == "error: 503"
    assert version_of(Hop(name="p"), "reviews") == "error: reviews was not asked"


@pytest.mark.parametrize(("says", "refusal"), [(b"", "connection closed"), (b"HTTP/1.1 200 OK\r\n\r\n", "")])
async def test_an_answer_to_plaintext_is_no_refusal(monkeypatch: pytest.MonkeyPatch, says: bytes, refusal: str) -> None:
    """Closing without a word is one; whatever is answered is none."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(says)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        monkeypatch.setattr(traffic_module, "MESH_PORT", server.sockets[0].getsockname()[1])
        assert await refusal_of_plaintext(CLIENT) == refusal


async def test_a_closed_port_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens nothing was shown."""
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
    monkeypatch.setattr(traffic_module, "MESH_PORT", port)
    with pytest.raises(DemoError, match="nobody listens"):
        await refusal_of_plaintext(CLIENT)
