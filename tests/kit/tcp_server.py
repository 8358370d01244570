"""Servers that say exactly what a test wants, byte by byte, and remember what they heard."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

__all__ = ["ScriptedServer", "scripted_server"]


class ScriptedServer:
    """Answers each HTTP request head with what ``say`` gives for it; None closes the connection unanswered."""

    def __init__(self, say: Callable[[str], bytes | None]) -> None:
        self.say = say
        self.heads: list[str] = []
        self.peers: list[tuple[str, int]] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.peers.append(writer.get_extra_info("peername")[:2])
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.heads.append(head)
                answer = self.say(head)
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted_server(
    say: Callable[[str], bytes | None], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedServer]:
    """Run it on a free port of 127.0.0.1."""
    scripted = ScriptedServer(say)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0, ssl=tls)
    scripted.port = server.sockets[0].getsockname()[1]
    async with server:
        yield scripted
