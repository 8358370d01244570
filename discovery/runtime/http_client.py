"""One HTTP/1.1 request to a local server (Envoy's admin, a probe target), with a deadline and bounds."""

from __future__ import annotations

import asyncio
import os
from typing import Final

import msgspec

from discovery.runtime.http_message import (
    Headers,
    HttpError,
    Response,
    parse_response_head,
    render_request,
    response_body_size,
)
from discovery.runtime.http_stream import MAX_HEAD_BYTES, read_answer_head, read_body

__all__ = ["HttpClientError", "TcpTarget", "UnixTarget", "fetch"]

_MAX_BODY_BYTES: Final = 64 * 1024 * 1024  # statistics of a large Envoy take some megabytes


class TcpTarget(msgspec.Struct, frozen=True):
    """A server at a host and port; ``authority``: what it is called in ``Host``, if it goes by another name."""

    host: str
    port: int
    authority: str = ""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class UnixTarget(msgspec.Struct, frozen=True):
    """A server at a Unix socket."""

    path: str

    def __str__(self) -> str:
        return self.path


class HttpClientError(RuntimeError):
    """No answer, or none that makes sense; the text says from whom and why."""


async def fetch(
    target: TcpTarget | UnixTarget,
    path: str,
    *,
    method: str = "GET",
    headers: Headers = (),
    body: bytes = b"",
    timeout_s: float,
) -> Response:
    """Ask once, on a connection of its own; any status is an answer.

    ``path`` may hold a query. ``timeout_s`` covers everything from connecting to the last byte.

    Raises:
        HttpClientError: refused, timed out, cut off or malformed.
        ValueError: what should be sent is no valid request.
    """
    host = (target.authority or str(target)) if isinstance(target, TcpTarget) else "localhost"
    message = render_request(method, path, host=host, headers=headers, body=body)
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await _connect(target)
            try:
                writer.write(message)
                await writer.drain()
                return await _read(reader, method)
            finally:
                writer.close()
    except TimeoutError:
        raise HttpClientError(f"{method} {path} at {target}: no answer within {timeout_s:g} s") from None
    except OSError as error:
        # asyncio's own text of a refused connection names the address once more, and not the reason
        reason = os.strerror(error.errno) if error.errno else error.strerror or str(error)
        raise HttpClientError(f"{method} {path} at {target}: {reason}") from error
    except HttpError as error:
        raise HttpClientError(f"{method} {path} at {target}: bad answer: {error.reason}") from error


async def _connect(target: TcpTarget | UnixTarget) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(target, UnixTarget):
        return await asyncio.open_unix_connection(target.path, limit=MAX_HEAD_BYTES)
    return await asyncio.open_connection(target.host, target.port, limit=MAX_HEAD_BYTES)


async def _read(reader: asyncio.StreamReader, method: str) -> Response:
    while True:
        raw = await read_answer_head(reader)
        if raw is None:
            raise ConnectionResetError("closed without an answer")
        head = parse_response_head(raw)
        if head.status >= 200:
            break
    size = response_body_size(head, method=method)
    body = await read_body(reader, size, limit=_MAX_BODY_BYTES)
    content_type = next((value for name, value in head.headers if name == "content-type"), "")
    return Response(status=head.status, headers=head.headers, body=body, content_type=content_type)
