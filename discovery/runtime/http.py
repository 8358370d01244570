"""A small HTTP/1.1 server for status and debug endpoints, where a web framework would weigh more than all its answers.

The agent runs once beside every workload, so what it imports is multiplied by the number of pods. Every wait has a
deadline, every size a bound, every connection its own crash boundary.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from discovery.runtime.http_message import (
    Headers,
    HttpError,
    Request,
    Response,
    parse_request_head,
    render_response,
    request_body_size,
)
from discovery.runtime.http_stream import MAX_HEAD_BYTES, read_body, read_head
from discovery.runtime.logs import get_logger

__all__ = ["Handler", "Headers", "HttpError", "HttpServer", "Limits", "Request", "Response"]

Handler = Callable[[Request], Awaitable[Response]]

_LOG: Final = get_logger("http")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a server; heads are bounded by ``MAX_HEAD_BYTES``."""

    body_bytes: int = 1024 * 1024
    connections: int = 256
    idle_s: float = 60.0  # between requests
    request_s: float = 10.0  # from the first byte of a request to its last
    handler_s: float = 60.0
    send_s: float = 30.0


class HttpServer:
    """Serves one handler on one address, as a ``Service``: entering binds, ``run`` accepts, leaving closes.

    Error handling: a handler's ``HttpError`` becomes its status; any other exception is logged and becomes 500, and
    ends that connection only. Beyond ``limits.connections`` the one that has waited longest for a request makes room
    for a new one; where all are being answered, the new one is closed unanswered.
    """

    def __init__(
        self,
        name: str,
        handler: Handler,
        *,
        host: str = "",
        port: int = 0,
        path: str = "",
        limits: Limits | None = None,
    ) -> None:
        """Listen on ``path`` (a Unix socket, mode 0600) if given, else on ``host:port``.

        An empty host means all addresses of both families; port 0 lets the system choose.
        """
        self._name = name
        self._handler = handler
        self._host = host
        self._port = port
        self._path = path
        self._limits = limits or Limits()
        self._server: asyncio.Server | None = None
        self._group: asyncio.TaskGroup | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._waiting: dict[asyncio.StreamWriter, None] = {}  # for a request, longest first

    @property
    def name(self) -> str:
        """What it is called in logs and errors."""
        return self._name

    @property
    def port(self) -> int:
        """The port really bound; 0 over a Unix socket."""
        return self._port

    async def __aenter__(self) -> Self:
        if self._path:
            self._server = await asyncio.start_unix_server(
                self._accept, sock=_bind_unix(self._path), limit=MAX_HEAD_BYTES, start_serving=False
            )
        else:
            listener = _bind(self._host, self._port)
            self._port = listener.getsockname()[1]
            self._server = await asyncio.start_server(
                self._accept, sock=listener, limit=MAX_HEAD_BYTES, start_serving=False
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        if self._path:
            _remove(self._path)

    async def run(self) -> None:
        """Serve until cancelled; open connections are cut then."""
        if self._server is None:
            raise RuntimeError(f"server {self._name!r} runs before it was entered")
        try:
            async with asyncio.TaskGroup() as group:
                try:
                    self._group = group
                    await self._server.start_serving()
                    await asyncio.get_running_loop().create_future()  # accepting happens in callbacks
                finally:
                    self._group = None  # from here on nobody is taken in: the group cancels only whom it knows now
        finally:
            for writer in tuple(self._open):  # also of tasks that were cancelled before they ever ran
                writer.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._group is None or not self._make_room():
            _LOG.warning("connection refused", server=self._name, open=len(self._open))
            writer.close()
            return
        self._open.add(writer)
        self._waiting[writer] = None
        self._group.create_task(self._connection(reader, writer), name=f"{self._name} connection")

    def _make_room(self) -> bool:
        """Whether one more may come. Whoever only holds connections open must not keep others out, say probes."""
        if len(self._open) < self._limits.connections:
            return True
        idle = next(iter(self._waiting), None)
        if idle is None:
            return False
        del self._waiting[idle]
        self._open.discard(idle)
        idle.transport.abort()
        return True

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peername = writer.get_extra_info("peername")
        peer = peername[0] if isinstance(peername, tuple) else ""
        try:
            while await self._exchange(reader, writer, peer):
                pass
        except (ConnectionError, TimeoutError):
            pass  # the other side went away or dawdled: its own affair
        except Exception as error:  # noqa: BLE001 - crash boundary of one connection
            _LOG.error("connection failed", server=self._name, error=repr(error))
        finally:
            self._open.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> bool:
        """One request and its answer; whether another may follow."""
        self._waiting[writer] = None
        try:
            request = await self._read(reader, peer)
        except HttpError as error:
            await self._send(writer, _failure(error), keep_alive=False)
            return False
        finally:
            self._waiting.pop(writer, None)
        if request is None:
            return False
        response = await self._answer(request)
        keep_alive = request.keep_alive
        await self._send(writer, response, keep_alive=keep_alive, with_body=request.method != "HEAD")
        return keep_alive

    async def _read(self, reader: asyncio.StreamReader, peer: str) -> Request | None:
        async with asyncio.timeout(self._limits.idle_s) as idle:
            head = await read_head(reader)
            if head is None:
                return None
            idle.reschedule(asyncio.get_running_loop().time() + self._limits.request_s)
            request = parse_request_head(head, peer=peer)
            size = request_body_size(request)
            if request.header("expect"):  # legal to refuse, and clients then send the body outright
                raise HttpError(HTTPStatus.EXPECTATION_FAILED, "Expect is not supported")
            if not size:
                return request
            return msgspec.structs.replace(request, body=await read_body(reader, size, limit=self._limits.body_bytes))

    async def _answer(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(self._limits.handler_s):
                return await self._handler(request)
        except HttpError as error:
            return _failure(error)
        except TimeoutError:
            _LOG.warning("request timed out", server=self._name, path=request.path)
            return Response(status=503, body=b"timed out\n")
        except Exception as error:  # noqa: BLE001 - crash boundary of one request
            _LOG.error("request failed", server=self._name, path=request.path, error=repr(error))
            return Response(status=500, body=b"internal error\n")

    async def _send(
        self, writer: asyncio.StreamWriter, response: Response, *, keep_alive: bool, with_body: bool = True
    ) -> None:
        writer.write(render_response(response, keep_alive=keep_alive, with_body=with_body))
        async with asyncio.timeout(self._limits.send_s):
            await writer.drain()


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)


def _failure(error: HttpError) -> Response:
    return Response(status=error.status, body=f"{error.reason}\n".encode())


def _bind(host: str, port: int) -> socket.socket:
    if not host:
        if socket.has_dualstack_ipv6():
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
        return socket.create_server(("", port), backlog=128)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def _bind_unix(path: str) -> socket.socket:
    _remove(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        os.chmod(path, 0o600)  # nobody can have connected yet: it does not listen
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
