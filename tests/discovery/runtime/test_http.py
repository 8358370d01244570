from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import pytest

from discovery.runtime.http import Handler, HttpError, HttpServer, Limits, Request, Response


async def _echo(request: Request) -> Response:
    if request.path == "/fail":
        raise RuntimeError("a secret of ours")
    if request.path == "/refuse":
        raise HttpError(HTTPStatus.FORBIDDEN, "not you")
    if request.path == "/slow":
        await asyncio.Event().wait()
    return Response(body=f"{request.method} {request.path} {request.body.decode()}".encode())


@contextlib.asynccontextmanager
async def _serving(limits: Limits | None = None, handler: Handler = _echo) -> AsyncIterator[HttpServer]:
    async with HttpServer("test", handler, host="127.0.0.1", limits=limits) as server, asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        yield server
        task.cancel()


async def _talk(port: int, data: bytes) -> bytes:
    """What the server says to ``data`` until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        return await reader.read()
    finally:
        writer.close()


async def test_requests_on_one_connection_are_answered_in_order() -> None:
    """Keep-alive and pipelining: each request gets its own answer, a close ends it."""
    async with _serving() as server:
        answer = await _talk(
            server.port,
            b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
            b"POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
            b"POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
            b"HEAD /4 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        )
    assert answer.count(b"HTTP/1.1 200 OK") == 4
    order = [answer.index(text) for text in (b"GET /1 ", b"POST /2 body", b"POST /3 hi")]
    assert order == sorted(order)
    assert b"HEAD /4" not in answer


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /fail HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", b"500"),
        (b"GET /refuse HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", b"403"),
        (b"GET /slow HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", b"503"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n", b"417"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", b"431"),
    ],
)
async def test_faults_have_their_status(request_bytes: bytes, status: bytes) -> None:
    """The sender's fault is 4xx and ends the connection; ours is 500 and tells nothing of our inside."""
    async with _serving(Limits(body_bytes=10, handler_s=0.01)) as server:
        answer = await _talk(server.port, request_bytes)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"secret" not in answer


async def test_a_dawdler_is_cut() -> None:
    """A connection that sends no whole request in time is closed without an answer."""
    async with _serving(Limits(idle_s=0.02)) as server:
        assert await _talk(server.port, b"GET / HT") == b""


async def test_connections_are_bounded() -> None:
    """Where all are being answered, one more is closed at once; those before it are served."""
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        asked.set()
        await go.wait()
        return await _echo(request)

    async with _serving(Limits(connections=1), slow) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n")
        await asked.wait()
        with contextlib.suppress(ConnectionResetError):  # a close with our bytes unread is a reset
            assert await _talk(server.port, b"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n") == b""
        go.set()
        await reader.readuntil(b"GET /1 ")
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET /1 HT", b"POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx"])
async def test_who_holds_connections_keeps_nobody_out(sent: bytes) -> None:
    """Whether silent or slow: the one that has waited longest makes room, the others stay."""
    async with _serving(Limits(connections=2)) as server:
        held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        for _, writer in held:
            writer.write(sent)
            await writer.drain()
        assert b"GET /new " in await _talk(server.port, b"GET /new HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert await held[0][0].read() == b""
        assert not held[1][0].at_eof()
        for _, writer in held:
            writer.close()


async def test_stopping_cuts_open_connections() -> None:
    """Shutdown does not wait for idle clients."""
    async with _serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n")
        await reader.readuntil(b"GET /1 ")
    assert await reader.read(100) == b""
    writer.close()


async def test_a_taken_port_stops_the_start() -> None:
    """Binding happens on entering, before anything serves."""
    async with HttpServer("a", _echo, host="127.0.0.1") as first:
        with pytest.raises(OSError, match="in use"):
            await HttpServer("b", _echo, host="127.0.0.1", port=first.port).__aenter__()


async def test_a_unix_socket_is_private_and_removed(tmp_path: Path) -> None:
    """Only its owner may connect; a stale file is replaced; nothing stays behind."""
    path = tmp_path / "s"
    path.write_text("stale")
    async with HttpServer("unix", _echo, path=str(path)) as server, asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        assert path.stat().st_mode & 0o777 == 0o600
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"GET /u HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert b"GET /u" in await reader.read()
        writer.close()
        task.cancel()
    assert not path.exists()


async def test_all_addresses_of_both_families() -> None:
    """An empty host serves IPv4 clients, and knows them as such."""
    async with HttpServer("any", _echo) as server, asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        assert b"GET /x" in await _talk(server.port, b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        task.cancel()
