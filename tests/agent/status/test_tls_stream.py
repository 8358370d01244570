"""TLS by hand: what an application's TLS server and ours say to each other."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.status.probe_connection import connect
from agent.status.tls_stream import TlsError, TlsStream
from tests.kit.mesh_ca import MeshCa
from tests.kit.tcp_server import scripted_server

BIG = b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n" + b"x" * 300_000


async def test_large_answers_come_whole(tmp_path: Path) -> None:
    """Many records, decrypted while they come; the end of the stream is told."""
    MeshCa(datetime.now(UTC)).pair().write(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert-chain.pem", tmp_path / "key.pem")
    said: list[bytes | None] = [BIG]
    async with scripted_server(lambda _: said.pop() if said else None, tls=context) as server:
        reader, writer = await connect("127.0.0.1", server.port)
        stream = TlsStream(reader, writer, limit=1 << 16)
        await stream.handshake()
        await stream.write(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.TaskGroup() as group:
            group.create_task(stream.pump())
            assert await stream.reader.readexactly(len(BIG)) == BIG
            await stream.write(b"GET / HTTP/1.1\r\n\r\n")
            assert await stream.reader.read() == b""
        writer.close()


async def test_what_is_no_tls_fails() -> None:
    """A plaintext server's answer is an error of the handshake."""

    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        reader, writer = await connect("127.0.0.1", server.sockets[0].getsockname()[1])
        with pytest.raises(TlsError, match="handshake"):
            await TlsStream(reader, writer, limit=1 << 16).handshake()
        writer.close()
