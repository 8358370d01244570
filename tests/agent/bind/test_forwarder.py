"""The agent's way out: who comes to the socket is connected, from where it is bound."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.bind.binding import Binding
from agent.bind.forwarder import Forwarder
from tests.kit.eventually import eventually


class Far:
    """A server that says everything twice, and remembers who came."""

    def __init__(self) -> None:
        self.peers: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.append(writer.get_extra_info("peername")[0])
        try:
            while data := await reader.read(1 << 16):
                writer.write(data * 2)
                await writer.drain()
        except ConnectionError:
            pass  # the other side has gone
        finally:
            writer.close()


@asynccontextmanager
async def far_server() -> AsyncIterator[Far]:
    far = Far()
    server = await asyncio.start_server(far.serve, "127.0.0.1", 0)
    far.port = server.sockets[0].getsockname()[1]
    async with server:
        yield far


async def test_bytes_pass_both_ways_from_the_bound_address(tmp_path: Path) -> None:
    """Also many of them; the socket is the agent's alone."""
    path = tmp_path / "out"
    async with (
        far_server() as far,
        Forwarder(path, host="127.0.0.1", port=far.port, binding=Binding(v4="127.0.0.77")),
    ):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        reader, writer = await asyncio.open_unix_connection(path)
        sent = bytes(range(256)) * 1024
        writer.write(sent)
        assert len(await reader.readexactly(2 * len(sent))) == 2 * len(sent)
        assert far.peers == ["127.0.0.77"]
        writer.close()
        await writer.wait_closed()
    assert not path.exists()


async def test_where_there_is_no_connection_the_caller_is_told_at_once(tmp_path: Path) -> None:
    """It knows how to wait and try again; the log says why."""
    path = tmp_path / "out"
    async with far_server() as far:
        for binding, port in ((Binding(v4="192.0.2.1"), far.port), (Binding(v4="127.0.0.1"), 1)):
            async with Forwarder(path, host="127.0.0.1", port=port, binding=binding):
                reader, writer = await asyncio.open_unix_connection(path)
                assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()
        assert far.peers == []


@pytest.mark.parametrize("first", ["near", "far"])
async def test_the_end_of_one_side_is_the_end_of_the_other(tmp_path: Path, first: str) -> None:
    """Nothing is left open."""
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if first == "near":
            await reader.read()
        writer.close()
        closed.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Forwarder(tmp_path / "out", host="127.0.0.1", port=port, binding=Binding(v4="127.0.0.77")):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "out")
        if first == "near":
            writer.close()
        else:
            assert await reader.read() == b""
            writer.close()
        await eventually(closed.is_set)
        await writer.wait_closed()
