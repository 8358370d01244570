"""Where probes come from."""

from __future__ import annotations

import asyncio

import pytest

from agent.status.probe_connection import connect


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_connections_come_from_the_mesh_address(host: str) -> None:
    """127.0.0.6, so that capture lets them pass; a name is tried address by address."""
    peers: asyncio.Queue[str] = asyncio.Queue()

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.put_nowait(writer.get_extra_info("peername")[0])
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        _, writer = await connect(host, server.sockets[0].getsockname()[1])
        assert await peers.get() == "127.0.0.6"
        writer.close()


async def test_without_that_address_another_does() -> None:
    """``::6`` exists only where capture rules were set up for IPv6."""
    try:
        server = await asyncio.start_server(lambda _r, w: w.close(), "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with server:
        _, writer = await connect("::1", server.sockets[0].getsockname()[1])
        writer.close()


async def test_nobody_there() -> None:
    """The system's reason tells: refused, unreachable and timed out lead to different places."""
    with pytest.raises(ConnectionRefusedError, match="Connection refused"):
        await connect("127.0.0.1", 1)
