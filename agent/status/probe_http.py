"""HTTP probes of the application, asked as kubelet would have asked them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

import msgspec

from agent.status.hpack import decode_block
from agent.status.http2_exchange import Exchange, Http2Error
from agent.status.probe_connection import connect
from agent.status.tls_stream import TlsStream
from discovery.runtime.http_message import (
    UNTIL_CLOSE,
    Headers,
    HttpError,
    Request,
    Response,
    ResponseHead,
    parse_response_head,
    response_body_size,
)
from discovery.runtime.http_stream import MAX_HEAD_BYTES, read_answer_head, read_body

__all__ = ["HttpProber", "ProbeFailedError", "Target", "choose_host", "follow", "forwarded_headers"]

MAX_BODY_BYTES: Final = 10 * 1024  # kubelet reads no more
_MAX_REDIRECTS: Final = 10
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# Ours to say, for the request we send is another one: without a body, on another connection.
_CHUNK: Final = 16 * 1024
# Of one connection in HTTP/1, and an error in HTTP/2. Spec: RFC 9113, section 8.2.2.
_HTTP1_HEADERS: Final = frozenset({"keep-alive", "proxy-connection", "te", "upgrade"})
_OWN_HEADERS: Final = frozenset({"connection", "content-length", "expect", "host", "transfer-encoding"})


class ProbeFailedError(RuntimeError):
    """The application did not answer; the text says why."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to ask for what. ``authority`` is what goes into ``Host``."""

    tls: bool
    host: str
    port: int
    path: str
    authority: str

    @property
    def url(self) -> str:
        """As text."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{self.path}"


def forwarded_headers(request: Request) -> Headers:
    """Kubelet's own headers, among them those that the pod's specification asks for."""
    return tuple((name, value) for name, value in request.headers if name not in _OWN_HEADERS)


def choose_host(asked: str, *, status_port: int, port: int) -> str:
    """The ``Host`` for the application: what was asked with its own port for ours; another name is meant so."""
    name, separator, found = asked.rpartition(":")
    return f"{name}:{port}" if separator and found == str(status_port) else asked


def follow(target: Target, location: str) -> Target | None:
    """Where a redirect leads; None if it is another host's, which is not asked."""
    try:
        split = urlsplit(urljoin(target.url, location))
        port = split.port
    except ValueError:
        return None
    if split.scheme not in ("http", "https") or split.hostname != target.host.lower():
        return None
    tls = split.scheme == "https"
    relative = not urlsplit(location).netloc
    path = (split.path or "/") + (f"?{split.query}" if split.query else "")
    return Target(
        tls=tls,
        host=target.host,
        port=port or (443 if tls else 80),
        path=path,
        authority=target.authority if relative else split.netloc,
    )


class HttpProber:
    """Asks the application; with ``keep_alive`` one idle connection is kept for each plaintext port.

    Resource handling: ``close`` closes the kept ones.
    """

    def __init__(self, *, keep_alive: bool = False, http2: bool = True) -> None:
        """``http2``: offered to servers behind TLS, as kubelet does; in plaintext it never is."""
        self._keep_alive = keep_alive
        self._protocols = ("h2", "http/1.1") if http2 else ("http/1.1",)
        self._idle: dict[tuple[str, int], tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    def close(self) -> None:
        """Close what is kept."""
        while self._idle:
            self._idle.popitem()[1][1].close()

    async def ask(self, target: Target, headers: Headers) -> Response:
        """The application's answer, redirects to itself followed; another host's redirect is a success.

        Raises:
            ProbeFailedError: there is none, or too many redirects. The caller bounds the time.
        """
        for _ in range(_MAX_REDIRECTS):
            try:
                response = await self._ask_once(target, headers)
            except (OSError, EOFError, HttpError, Http2Error, ValueError) as error:
                raise ProbeFailedError(f"GET {target.url}: {_reason(error)}") from error
            location = response.header("location")
            if response.status not in _REDIRECTS or not location:
                break
            following = follow(target, location)
            if following is None:
                break
            target = following
        else:
            raise ProbeFailedError(f"GET {target.url}: stopped after {_MAX_REDIRECTS} redirects")
        if 300 <= response.status < 400:
            return msgspec.structs.replace(response, status=200)
        return response

    async def _ask_once(self, target: Target, headers: Headers) -> Response:
        message = _render(target, headers, keep_alive=self._keep_alive and not target.tls)
        if target.tls:
            reader, writer = await connect(target.host, target.port)
            try:
                return await _ask_tls(reader, writer, target, headers, protocols=self._protocols)
            finally:
                writer.close()
        kept = self._idle.pop((target.host, target.port), None)
        if kept is not None:
            try:
                return await self._exchange(target, kept, message)
            except (OSError, EOFError, HttpError):
                pass  # closed by the application in the meantime, which is its right; ask on a new one
        return await self._exchange(target, await connect(target.host, target.port), message)

    async def _exchange(
        self, target: Target, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], message: bytes
    ) -> Response:
        reader, writer = connection
        reusable = False
        try:
            writer.write(message)
            await writer.drain()
            response, complete = await _read(reader)
            reusable = self._keep_alive and complete and response.header("connection").lower() != "close"
            return response
        finally:
            if reusable and (target.host, target.port) not in self._idle:
                self._idle[target.host, target.port] = connection
            else:
                writer.close()


async def _ask_tls(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    target: Target,
    headers: Headers,
    *,
    protocols: Sequence[str],
) -> Response:
    stream = TlsStream(reader, writer, limit=MAX_HEAD_BYTES, protocols=protocols)
    await stream.handshake()
    async with asyncio.TaskGroup() as group:
        pump = group.create_task(stream.pump())
        try:
            if stream.protocol == "h2":
                outcome: Response | Exception = await _ask_http2(stream, target, headers)
            else:
                await stream.write(_render(target, headers, keep_alive=False))
                outcome = (await _read(stream.reader))[0]
        except (OSError, HttpError, Http2Error, ValueError) as error:
            outcome = error  # not through the group, which would wrap it
        pump.cancel()
    if isinstance(outcome, Response):
        return outcome
    raise outcome


async def _ask_http2(stream: TlsStream, target: Target, headers: Headers) -> Response:
    """The answer, with as much of its body as counts."""
    head = ((":method", "GET"), (":scheme", "https"), (":path", target.path), (":authority", target.authority))
    exchange = Exchange((*head, *((name, value) for name, value in headers if name not in _HTTP1_HEADERS)))
    await stream.write(exchange.opening)
    while not exchange.ended and len(exchange.body) < MAX_BODY_BYTES:
        data = await stream.reader.read(_CHUNK)
        if not data:
            raise ConnectionResetError("closed without an answer")
        if reply := exchange.receive(data):
            await stream.write(reply)
    for block in exchange.blocks:
        fields = decode_block(block)
        status = next((value for name, value in fields if name == ":status"), "")
        if not (status.isdecimal() and len(status) == 3):
            break
        if int(status) >= 200:
            found = tuple((name, value) for name, value in fields if name and name[0] != ":")
            content_type = next((value for name, value in found if name == "content-type"), "")
            body = bytes(exchange.body[:MAX_BODY_BYTES])
            return Response(status=int(status), headers=found, body=body, content_type=content_type)
    raise Http2Error("the answer has no status")


def _render(target: Target, headers: Headers, *, keep_alive: bool) -> bytes:
    lines = [f"GET {target.path} HTTP/1.1", f"host: {target.authority}"]
    lines += [] if keep_alive else ["connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    if any(char in line for line in lines for char in "\r\n\0") or " " in target.path:
        raise ValueError(f"{target.path!r} cannot be asked for")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _read(reader: asyncio.StreamReader) -> tuple[Response, bool]:
    """The answer with as much of its body as counts, and whether the connection can carry another."""
    while True:
        raw = await read_answer_head(reader)
        if raw is None:
            raise ConnectionResetError("closed without an answer")
        head = parse_response_head(raw)
        if head.status >= 200:
            break
    size = response_body_size(head, method="GET")
    body, complete = await _read_body(reader, size)
    content_type = next((value for name, value in head.headers if name == "content-type"), "")
    return _response(head, body, content_type), complete and size != UNTIL_CLOSE


def _response(head: ResponseHead, body: bytes, content_type: str) -> Response:
    return Response(status=head.status, headers=head.headers, body=body, content_type=content_type)


async def _read_body(reader: asyncio.StreamReader, size: int) -> tuple[bytes, bool]:
    if size > MAX_BODY_BYTES:
        return await reader.readexactly(MAX_BODY_BYTES), False
    try:
        return await read_body(reader, size, limit=MAX_BODY_BYTES), True
    except HttpError as error:
        if error.status is not HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise
        return b"", False  # of unknown length and too long: its status still counts


def _reason(error: Exception) -> str:
    if isinstance(error, HttpError):
        return f"bad answer: {error.reason}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error)
