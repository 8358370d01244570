"""Binding a gRPC server to a Unix socket that processes of other users may open."""

from __future__ import annotations

import socket
import stat
from pathlib import Path
from typing import Final

import grpc.aio

__all__ = ["MAX_SOCKET_PATH_BYTES", "SocketError", "bind_socket", "check_unserved"]

# sun_path holds 108 bytes with the terminating zero.
MAX_SOCKET_PATH_BYTES: Final = 107

# Envoy may run as another user; who may come near is decided by the directory.
_SOCKET_MODE: Final = 0o666


class SocketError(RuntimeError):
    """A Unix socket cannot be bound; the text says which and why."""


def bind_socket(server: grpc.aio.Server, path: Path, *, directory_mode: int) -> None:
    """Bind ``server`` to ``path``: a missing directory is made, a stale socket removed, all users may connect.

    Args:
        server: not started yet.
        path: relative or absolute.
        directory_mode: of the directory if it is made; an existing one is left as it is.

    Raises:
        SocketError: the path is too long, is something else than a socket, or cannot be bound.
    """
    size = len(str(path).encode())
    if size > MAX_SOCKET_PATH_BYTES:
        raise SocketError(
            f"socket {path}: the path has {size} bytes, want at most {MAX_SOCKET_PATH_BYTES}; use a shorter directory"
        )
    try:
        path.parent.mkdir(mode=directory_mode, parents=True, exist_ok=True)
        _remove_stale(path)
        server.add_insecure_port(f"unix:{path}")
        path.chmod(_SOCKET_MODE)
    except SocketError:
        raise
    except (OSError, RuntimeError) as error:
        raise SocketError(f"socket {path}: cannot be bound: {error}; is its directory writable?") from error


def check_unserved(path: Path) -> None:
    """See that nobody listens at a socket that is to be ours alone.

    Raises:
        SocketError: somebody does; binding would cut off the clients of a process that runs.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(0)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            pass  # there is a queue of others
        except OSError:
            return
    raise SocketError(
        f"socket {path}: another process serves it; an agent runs with this configPath already, "
        "so end that one or choose another configPath"
    )


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketError(f"socket {path}: is there already and is no socket; remove it or choose another path")
    path.unlink()
