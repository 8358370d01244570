"""`python -m tests.kube.relay PORT NAMESPACE`: a port of loopback here leads to the same port of loopback in there."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Final

from agent.capture.facts import enter_network_namespace

_CHUNK: Final = 64 * 1024


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def _relay(listener: socket.socket, port: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()  # not listening yet: let the caller see a broken connection
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(reader, inner_writer))
            group.create_task(_pump(inner_reader, writer))
        for end in (writer, inner_writer):
            end.close()

    server = await asyncio.start_server(serve, sock=listener)
    await server.serve_forever()


def main(port: int, namespace: Path) -> None:
    """Listen here, then live in there: a socket stays where it was made."""
    listener = socket.create_server(("127.0.0.1", port))
    enter_network_namespace(namespace)
    asyncio.run(_relay(listener, port))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
