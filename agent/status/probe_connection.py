"""Connections to the application that traffic capture lets pass: they come from an address that only the mesh uses."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from typing import Final

from discovery.runtime.http_stream import MAX_HEAD_BYTES

__all__ = ["connect"]

# The rules in a pod send what comes from these addresses straight to the application.
_SOURCE: Final = {socket.AF_INET: "127.0.0.6", socket.AF_INET6: "::6"}
_LINGER_S: Final = 1


async def connect(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the first address of ``host`` that takes one. The caller bounds the time and closes.

    Raises:
        OSError: nobody takes it.
    """
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = OSError(errno.EADDRNOTAVAIL, f"{host} has no address")
    for family, _, _, _, address in infos:
        try:
            return await _connect_one(socket.AddressFamily(family), str(address[0]), port)
        except OSError as error:
            failure = error
    raise failure


async def _connect_one(
    family: socket.AddressFamily, address: str, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(0)  # asyncio wants it so
        _bind_source(connection, family)
        await _reach(connection, address, port)
        return await asyncio.open_connection(sock=connection, limit=MAX_HEAD_BYTES)
    except BaseException:
        connection.close()
        raise


async def _reach(connection: socket.socket, address: str, port: int) -> None:
    try:
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except OSError as error:
        if not error.errno:
            raise
        # asyncio's own text names the address once more, and not the reason
        raise OSError(error.errno, os.strerror(error.errno)) from error


def _bind_source(connection: socket.socket, family: socket.AddressFamily) -> None:
    # Probes come every second for years: a connection that nobody reads from must not linger for minutes.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_S.to_bytes(4, "little") * 2)
    try:
        connection.bind((_SOURCE[family], 0))
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:  # nobody captures traffic here, so the address was never added
            raise
