"""A way out for the agent's own calls: a private Unix socket, and behind it connections that are bound.

gRPC cannot be told what to bind its connections to. It calls this socket instead, with the control plane's name for TLS
as ever; what passes through here is encrypted from end to end.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from agent.bind.binding import Binding
from discovery.runtime.logs import get_logger
from discovery.runtime.race import first_of

__all__ = ["Forwarder"]

_CHUNK_BYTES: Final = 64 * 1024
_CONNECT_S: Final = 5.0

log = get_logger("bind")


class Forwarder:
    """A ``Service`` that connects everybody who comes to its socket with one address.

    Args:
        path: of the socket, for this user only.
        host: whom to connect with; a name is looked up for each connection.
        port: there.
        binding: what connections are bound to.
    """

    name = "way out"

    def __init__(self, path: Path, *, host: str, port: int, binding: Binding) -> None:
        self._path = path
        self._host = host
        self._port = port
        self._binding = binding
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Bind the socket.

        Raises:
            OSError: it cannot be bound.
        """
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        self._path.chmod(0o600)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)

    async def run(self) -> None:
        """Serve until cancelled."""
        await asyncio.Event().wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_CONNECT_S):
                far_reader, far_writer = await self._connect()
        except (OSError, TimeoutError) as error:
            log.warning(
                "no connection from where we are bound",
                to=f"{self._host}:{self._port}",
                reason=str(error) or type(error).__name__,
                hint="is PILOT_AGENT_BIND_ADDRESS an address of this machine, and PILOT_AGENT_BIND_DEVICE up?",
            )
            await _close(writer)
            return
        try:
            await first_of(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            for end in (writer, far_writer):
                await _close(end)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        infos = await asyncio.get_running_loop().getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        failure = OSError(errno.EADDRNOTAVAIL, f"{self._host} has no address")
        for family, _, _, _, address in infos:
            try:
                return await self._connect_one(socket.AddressFamily(family), str(address[0]))
            except OSError as error:
                failure = error
        raise failure

    async def _connect_one(
        self, family: socket.AddressFamily, address: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(0)  # asyncio wants it so
            if self._binding.device:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._binding.device.encode() + b"\0")
            source = self._binding.source(v6=family is socket.AF_INET6)
            if source:
                connection.bind((source, 0))
            await asyncio.get_running_loop().sock_connect(connection, (address, self._port))
            return await asyncio.open_connection(sock=connection)
        except BaseException:
            connection.close()
            raise


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one end is closed: what is on its way then is nobody's any more, for gRPC ends with a word of its own."""
    with suppress(ConnectionError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
