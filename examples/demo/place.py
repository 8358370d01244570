"""Where on this machine the demo can run: a block of loopback addresses that nobody uses."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from examples.demo.errors import DemoError
from examples.demo.layout import APP_PORT, BLOCKS, MESH_PORT, SERVICE_PORT, Block, Workload

__all__ = ["claimed_block"]

_CONTROL_PLANE_PORTS: Final = (8080, 15012, 15014)
_LOCK_PORT: Final = 9999


@contextmanager
def claimed_block(workloads: Sequence[Workload]) -> Iterator[Block]:
    """A free block for workloads with the addresses that the example's YAML gives them, kept from other demos.

    Raises:
        DemoError: there is none, or this system has no such addresses.
    """
    for block in map(Block, range(BLOCKS)):
        lock = _bound(block.control_plane, _LOCK_PORT)
        if lock is None:
            continue
        with lock:
            if all(_is_free(host, port) for host, port in _wanted(block, workloads)):
                yield block
                return
    raise DemoError(
        f"no free addresses: something listens on all of {Block(0).prefix}x to {Block(BLOCKS - 1).prefix}x",
        hint="end other demos, or what listens on ports 8080, 9080, 9443 of all addresses (ss -ltnp)",
    )


def _wanted(block: Block, workloads: Sequence[Workload]) -> Iterable[tuple[str, int]]:
    for port in _CONTROL_PLANE_PORTS:
        yield block.control_plane, port
    for number, workload in enumerate(workloads):
        for port in (APP_PORT, SERVICE_PORT, MESH_PORT):
            yield block.relocate(workload.address), port
        for port in block.agent_ports(number):
            yield "", port  # agents and their Envoys listen on all addresses


def _is_free(host: str, port: int) -> bool:
    bound = _bound(host, port)
    if bound is None:
        return False
    bound.close()
    return True


def _bound(host: str, port: int) -> socket.socket | None:
    """A socket at the address, not listening; None if somebody else listens there.

    SO_REUSEADDR takes what only old, closed connections hold; on Linux never what somebody listens on.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        if port == _LOCK_PORT:
            bound.listen(1)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise DemoError(
            f"cannot use address {host or '0.0.0.0'}, port {port}: {error.strerror}",
            hint="the demo needs Linux, where all of 127.0.0.0/8 is this machine",
        ) from error
    return bound
