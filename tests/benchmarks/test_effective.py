import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from benchmarks.effective import Probe

MOVED = "HTTP/1.1 301 Moved Permanently\r\nlocation: http://edition-1.example/\r\ncontent-length: 0\r\n\r\n"
NOT_FOUND = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


@asynccontextmanager
async def answering(answers: Sequence[str]) -> AsyncIterator[int]:
    """A server that gives these answers in order, whatever the connection, and then closes."""
    left = iter(answers)
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            writer.write(next(left, "").encode())
            await writer.drain()
        writer.close()
        await writer.wait_closed()
        ended.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        await ended.wait()


async def test_a_redirect_tells_the_edition() -> None:
    """One connection serves request after request."""
    async with answering([MOVED, MOVED]) as port:
        probe = Probe(port, "svc.example")
        assert [await probe.location(), await probe.location()] == ["http://edition-1.example/"] * 2
        assert (probe.requests, probe.failures) == (2, [])
        await probe.close()


async def test_anything_else_is_a_failed_request() -> None:
    """A request that is not redirected counts, and the next one is made all the same."""
    async with answering([NOT_FOUND, MOVED]) as port:
        probe = Probe(port, "svc.example")
        assert [await probe.location(), await probe.location()] == ["", "http://edition-1.example/"]
        assert probe.failures == ["HTTP/1.1 404 Not Found"]
        await probe.close()
