"""Binding to Unix sockets."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import grpc.aio
import pytest

from agent.xds_proxy.unix_socket import SocketError, bind_socket, check_unserved


async def test_directory_and_modes(tmp_path: Path) -> None:
    """A missing directory is made with the mode asked for, and everybody may open the socket."""
    path = tmp_path / "etc" / "XDS"
    server = grpc.aio.server()
    bind_socket(server, path, directory_mode=0o750)
    await server.start()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    await server.stop(None)


async def test_stale_socket_is_replaced(tmp_path: Path) -> None:
    """What a killed predecessor left behind does not stop the start."""
    path = tmp_path / "XDS"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    server = grpc.aio.server()
    bind_socket(server, path, directory_mode=0o750)
    await server.stop(None)


def test_a_socket_that_is_served_stays(tmp_path: Path) -> None:
    """A second agent in the same directory would cut the first one's Envoy off; what is left of a dead one may go."""
    path = tmp_path / "XDS"
    check_unserved(path)
    with socket.socket(socket.AF_UNIX) as served:
        served.bind(str(path))
        served.listen(0)
        for _ in range(3):  # also when its queue is full
            with pytest.raises(
                SocketError, match="another process serves it; an agent runs with this configPath already"
            ):
                check_unserved(path)
    check_unserved(path)


async def test_other_files_are_not_touched(tmp_path: Path) -> None:
    """A file that is no socket is somebody's data: it stays and the start fails."""
    path = tmp_path / "XDS"
    path.write_text("data")
    with pytest.raises(SocketError, match="no socket"):
        bind_socket(grpc.aio.server(), path, directory_mode=0o750)
    assert path.read_text() == "data"


async def test_long_path_is_told(tmp_path: Path) -> None:
    """A path beyond the kernel's limit is refused with its length, not with EINVAL."""
    with pytest.raises(SocketError, match="want at most 107"):
        bind_socket(grpc.aio.server(), tmp_path / ("x" * 120), directory_mode=0o750)
