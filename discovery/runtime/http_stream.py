"""Reading the pieces of HTTP/1.1 messages from a stream, each with a bound."""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import Final

from discovery.runtime.http_message import CHUNKED, UNTIL_CLOSE, HttpError

__all__ = ["MAX_HEAD_BYTES", "read_answer_head", "read_body", "read_head"]

MAX_HEAD_BYTES: Final = 16 * 1024

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e]*)?\r\n\Z")
_MAX_TRAILER_LINES: Final = 32


async def read_head(reader: asyncio.StreamReader) -> bytes | None:
    """A head with its empty line; None if the other side closed between messages.

    The reader's own limit bounds it: open streams with ``limit=MAX_HEAD_BYTES``.

    Raises:
        HttpError: 431 too large, 400 cut off.
    """
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _head_too_large() from None
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise HttpError(HTTPStatus.BAD_REQUEST, "the head is cut off") from None
        return None


async def read_answer_head(reader: asyncio.StreamReader) -> bytes | None:
    """The head of an answer as ``read_head`` gives it, also from a server that ends its lines by LF alone.

    Readers may take such lines, and those that probe and scrape applications do: a script that prints its answer is
    well for kubelet and for Prometheus. Requests are read strictly.

    Spec: https://www.rfc-editor.org/rfc/rfc9112#section-2.2

    Raises:
        HttpError: 431 too large, 400 cut off.
    """
    lines: list[bytes] = []
    size = 0
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise _head_too_large() from None
        except asyncio.IncompleteReadError as error:
            if error.partial or lines:
                raise HttpError(HTTPStatus.BAD_REQUEST, "the head is cut off") from None
            return None
        size += len(line)
        if size > MAX_HEAD_BYTES:
            raise _head_too_large()
        line = line[:-2] if line.endswith(b"\r\n") else line[:-1]
        lines.append(line)
        if not line:
            return b"\r\n".join([*lines, b""])


async def read_body(reader: asyncio.StreamReader, size: int, *, limit: int) -> bytes:
    """The body, decoded. ``size`` as the head told it: a number, ``CHUNKED`` or ``UNTIL_CLOSE``.

    Raises:
        HttpError: 413 larger than ``limit`` bytes, 400 cut off or malformed.
    """
    if size > limit:
        raise _too_large(limit)
    try:
        if size == CHUNKED:
            return await _read_chunked(reader, limit)
        if size == UNTIL_CLOSE:
            return await _read_until_close(reader, limit)
        return await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        raise HttpError(HTTPStatus.BAD_REQUEST, "the body is cut off") from None


def _head_too_large() -> HttpError:
    return HttpError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the limit is {MAX_HEAD_BYTES} bytes")


def _too_large(limit: int) -> HttpError:
    return HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the limit is {limit} bytes")


async def _read_until_close(reader: asyncio.StreamReader, limit: int) -> bytes:
    parts = bytearray()
    while chunk := await reader.read(64 * 1024):
        parts += chunk
        if len(parts) > limit:
            raise _too_large(limit)
    return bytes(parts)


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n")
    except asyncio.LimitOverrunError:
        raise HttpError(HTTPStatus.BAD_REQUEST, "a line of the chunked body is too long") from None


async def _read_chunked(reader: asyncio.StreamReader, limit: int) -> bytes:
    body = bytearray()
    while True:
        match = _CHUNK_SIZE.match(await _line(reader))
        if match is None:
            raise HttpError(HTTPStatus.BAD_REQUEST, "malformed chunk size")
        size = int(match[1], 16)
        if size == 0:
            break
        if len(body) + size > limit:
            raise _too_large(limit)
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise HttpError(HTTPStatus.BAD_REQUEST, "a chunk does not end where it said")
    for _ in range(_MAX_TRAILER_LINES):  # trailers are read and dropped: nobody may change a head after the fact
        if await _line(reader) == b"\r\n":
            return bytes(body)
    raise HttpError(HTTPStatus.BAD_REQUEST, "too many trailers")
