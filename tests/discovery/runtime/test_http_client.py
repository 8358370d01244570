from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from discovery.runtime.http import HttpServer, Request, Response
from discovery.runtime.http_client import HttpClientError, TcpTarget, UnixTarget, fetch


@contextlib.asynccontextmanager
async def _answering(data: bytes) -> AsyncIterator[TcpTarget]:
    """A server that says ``data`` to whoever comes, and closes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield TcpTarget("127.0.0.1", server.sockets[0].getsockname()[1])


@pytest.mark.parametrize(
    ("data", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi"),
        (b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 503, b"hi"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    ],
)
async def test_answers_are_read(data: bytes, status: int, body: bytes) -> None:
    """Any framing, any status."""
    async with _answering(data) as target:
        response = await fetch(target, "/", timeout_s=5)
    assert (response.status, response.body) == (status, body)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "closed without an answer"),
        (b"SSH-2.0-x\r\n\r\n", "bad answer: malformed status line"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", "bad answer: the body is cut off"),
    ],
)
async def test_a_bad_answer_is_a_named_error(data: bytes, reason: str) -> None:
    """The error names the request, the target and what is wrong."""
    async with _answering(data) as target:
        with pytest.raises(HttpClientError, match=f"GET /x at {target}: {reason}"):
            await fetch(target, "/x", timeout_s=5)


async def test_silence_ends_at_the_deadline() -> None:
    """The deadline covers the whole exchange."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = TcpTarget("127.0.0.1", listener.getsockname()[1])
        with pytest.raises(HttpClientError, match=r"no answer within 0\.02 s"):
            await fetch(target, "/", timeout_s=0.02)


async def test_a_refused_connection_says_so(tmp_path: Path) -> None:
    """Nobody there: the system's reason is in the text."""
    with pytest.raises(HttpClientError, match="No such file"):
        await fetch(UnixTarget(str(tmp_path / "absent")), "/", timeout_s=1)


async def test_a_unix_socket_is_reached(tmp_path: Path) -> None:
    """Method, headers and body arrive over a socket file."""

    async def handler(request: Request) -> Response:
        return Response(body=f"{request.method} {request.header('x')} {request.body.decode()}".encode())

    path = str(tmp_path / "s")
    async with HttpServer("unix", handler, path=path) as server, asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        response = await fetch(UnixTarget(path), "/", method="POST", headers=(("x", "y"),), body=b"z", timeout_s=5)
        task.cancel()
    assert response.body == b"POST y z"


async def test_a_server_can_be_asked_under_another_name() -> None:
    """The address says where to connect, the authority what stands in ``Host``."""

    async def handler(request: Request) -> Response:
        return Response(body=request.header("host").encode())

    async with HttpServer("named", handler, host="127.0.0.1") as server, asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        response = await fetch(TcpTarget("127.0.0.1", server.port, "reviews:9080"), "/", timeout_s=5)
        task.cancel()
    assert response.body == b"reviews:9080"
