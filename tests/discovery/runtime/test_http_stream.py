from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.runtime.http_message import CHUNKED, UNTIL_CLOSE, HttpError
from discovery.runtime.http_stream import MAX_HEAD_BYTES, read_answer_head, read_body, read_head


def _reader(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=MAX_HEAD_BYTES, loop=asyncio.get_running_loop())
    reader.feed_data(data)
    reader.feed_eof()
    return reader


def _chunked(parts: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.binary(max_size=20))
def test_chunks_are_joined_and_what_follows_is_left(parts: list[bytes], rest: bytes) -> None:
    """Exactly the body is consumed: the next request begins where it ends."""

    async def read() -> tuple[bytes, bytes]:
        reader = _reader(_chunked(parts) + rest)
        return await read_body(reader, CHUNKED, limit=1000), await reader.read()

    assert asyncio.run(read()) == (b"".join(parts), rest)


@given(st.binary(max_size=60))
def test_any_bytes_as_chunks_give_a_body_or_an_error(data: bytes) -> None:
    """Nothing but HttpError comes out, and never more than the limit."""

    async def read() -> bytes | HttpError:
        try:
            return await read_body(_reader(data), CHUNKED, limit=20)
        except HttpError as error:
            return error

    outcome = asyncio.run(read())
    assert outcome.status in (400, 413) if isinstance(outcome, HttpError) else len(outcome) <= 20


@pytest.mark.parametrize(
    "data",
    [
        b"-1\r\n\r\n",
        b"0x1\r\na\r\n0\r\n\r\n",
        b" 1\r\na\r\n0\r\n\r\n",
        b"1\na\n0\n\n",
        b"1\r\nab\r\n0\r\n\r\n",
        b"1\r\na",
    ],
)
async def test_sloppy_chunks_are_refused(data: bytes) -> None:
    """Sizes are hexadecimal digits, line ends are CRLF, a chunk is as long as it says."""
    with pytest.raises(HttpError, match="400"):
        await read_body(_reader(data), CHUNKED, limit=100)


async def test_bodies_have_a_limit() -> None:
    """Declared, chunked or open-ended: too much is 413."""
    for size, data in ((11, b"x" * 11), (CHUNKED, _chunked([b"x" * 6, b"x" * 5])), (UNTIL_CLOSE, b"x" * 11)):
        with pytest.raises(HttpError, match="413"):
            await read_body(_reader(data), size, limit=10)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
async def test_answers_may_end_their_lines_by_lf(end: bytes) -> None:
    """The head comes as if by CRLF, and the body is left alone."""
    reader = _reader(end.join([b"HTTP/1.1 200 OK", b"a: b", b"", b"\n\nbody"]))
    assert await read_answer_head(reader) == b"HTTP/1.1 200 OK\r\na: b\r\n\r\n"
    assert await reader.read() == b"\n\nbody"


async def test_heads_of_answers_have_a_limit() -> None:
    """In one line or in many; a silent close is none, one in the middle is an error."""
    for endless in (b"x" * (MAX_HEAD_BYTES + 10), b"a: b\n" * MAX_HEAD_BYTES):
        with pytest.raises(HttpError, match="431"):
            await read_answer_head(_reader(endless))
    assert await read_answer_head(_reader(b"")) is None
    for cut in (b"HTTP/1.1", b"HTTP/1.1 200 OK\n"):
        with pytest.raises(HttpError, match="400"):
            await read_answer_head(_reader(cut))


async def test_heads_have_a_limit() -> None:
    """A head that does not end is 431, not memory."""
    with pytest.raises(HttpError, match="431"):
        await read_head(_reader(b"x" * (MAX_HEAD_BYTES + 10) + b"\r\n\r\n"))


async def test_a_silent_close_is_no_error() -> None:
    """Between messages the other side may go; in the middle of one it may not."""
    assert await read_head(_reader(b"")) is None
    with pytest.raises(HttpError, match="cut off"):
        await read_head(_reader(b"GET"))


async def test_trailers_are_dropped() -> None:
    """Fields after the last chunk are read, bounded, and forgotten."""
    assert await read_body(_reader(b"1\r\na\r\n0\r\nX: y\r\n\r\n"), CHUNKED, limit=10) == b"a"
    with pytest.raises(HttpError, match="trailers"):
        await read_body(_reader(b"0\r\n" + b"X: y\r\n" * 40 + b"\r\n"), CHUNKED, limit=10)
