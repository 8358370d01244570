"""Ports for programs that cannot be told to take any."""

from __future__ import annotations

import random
import socket
from typing import Final

__all__ = ["free_port", "free_ports"]

# Below what kernels give to outgoing connections (net.ipv4.ip_local_port_range): a port from there that is free now may
# be some connection's a moment later. Above the ports that programs are known by.
_RANGE: Final = range(20_000, 32_000)
_CHOICE: Final = random.SystemRandom()  # tests run side by side, and each seeds the common generator alike


def free_ports(count: int) -> list[int]:
    """Different TCP ports that nobody has at the moment, at any address.

    Raises:
        OSError: there are hardly any.
    """
    found: list[int] = []
    for port in _CHOICE.sample(_RANGE, k=len(_RANGE)):
        if len(found) == count:
            return found
        if _is_free(port):
            found.append(port)
    raise OSError(f"{count} ports wanted, {len(found)} are free between {_RANGE.start} and {_RANGE.stop}")


def free_port() -> int:
    """One of them."""
    (port,) = free_ports(1)
    return port


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("", port)).close()
    except OSError:
        return False
    return True
