"""Whether traffic is really captured: call a port that nobody serves, as the proxy's user, and be answered.

The call goes to an address of the inbound passthrough, whose rule every configuration has. A listener takes the proxy's
place; the kernel tells it where the caller wanted to go.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Final

import msgspec

from discovery.runtime.logs import get_logger

__all__ = ["Probe", "ValidationError", "original_destination", "probes", "validate_capture"]

_ORIGINAL_DESTINATION: Final = 80
"""``SO_ORIGINAL_DST`` and its IPv6 twin; Python does not know them. Spec: linux/netfilter_ipv4.h."""
_PERIOD_S: Final = 1.0

_log = get_logger("default")


class ValidationError(RuntimeError):
    """Traffic is not captured as it should be."""


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One call: listen on ``listen`` at ``ports``, call ``target``."""

    listen: str
    ports: tuple[int, ...]
    target: str
    target_port: int


def probes(*, ports: tuple[int, ...], probe_port: int, ipv6: bool) -> tuple[Probe, ...]:
    """A probe for each family in use."""
    v4 = Probe(listen="127.0.0.1", ports=ports, target="127.0.0.6", target_port=probe_port)
    v6 = Probe(listen="::1", ports=ports, target="::6", target_port=probe_port)
    return (v4, v6) if ipv6 else (v4,)


def original_destination(connection: socket.socket) -> tuple[str, int]:
    """Where the caller of an accepted connection wanted to go.

    Raises:
        OSError: the connection was not redirected.
    """
    if connection.family == socket.AF_INET6:
        raw = connection.getsockopt(socket.IPPROTO_IPV6, _ORIGINAL_DESTINATION, 28)
        return socket.inet_ntop(socket.AF_INET6, raw[8:24]), struct.unpack_from("!H", raw, 2)[0]
    raw = connection.getsockopt(socket.IPPROTO_IP, _ORIGINAL_DESTINATION, 16)
    return socket.inet_ntop(socket.AF_INET, raw[4:8]), struct.unpack_from("!H", raw, 2)[0]


async def validate_capture(wanted: Sequence[Probe], *, uid: int | None, timeout_s: float) -> None:
    """Return when every probe was captured.

    Args:
        uid: whose calls they are to be; None: ours.

    Raises:
        ValidationError: not in time, or the listeners' ports are taken.
    """
    for probe in wanted:
        try:
            async with asyncio.timeout(timeout_s):
                await _validate(probe, uid)
        except TimeoutError:
            raise ValidationError(
                f"traffic is not captured: nobody came to {probe.listen} ports {', '.join(map(str, probe.ports))}"
                f" within {timeout_s:g} s for calls to {probe.target}:{probe.target_port}; see iptables-save for rules,"
                " and whether a CNI plugin was to make them"
            ) from None
        _log.info("traffic is captured", listen=probe.listen, target=probe.target)


async def _validate(probe: Probe, uid: int | None) -> None:
    found: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        try:
            destination = original_destination(connection)
        except OSError as error:
            _log.warning("a connection that was not redirected", error=str(error))
        else:
            if destination[1] == probe.target_port and not found.done():
                found.set_result(destination)
        writer.close()

    async with AsyncExitStack() as stack:
        for port in probe.ports:
            try:
                server = await asyncio.start_server(accept, probe.listen, port)
            except OSError as error:
                raise ValidationError(f"cannot listen on {probe.listen} port {port}: {error.strerror}") from None
            await stack.enter_async_context(server)
        while not found.done():
            with _call(probe, uid):
                await asyncio.wait((found,), timeout=_PERIOD_S)


def _call(probe: Probe, uid: int | None) -> socket.socket:
    """A connection that is being made; whether it succeeds is seen at the listeners."""
    family = socket.AF_INET6 if ":" in probe.target else socket.AF_INET
    with _as_user(uid):
        caller = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        caller.bind((probe.listen, 0))  # left alone, IPv6 would call from the very address that is called
        caller.connect_ex((probe.target, probe.target_port))
    return caller


@contextmanager
def _as_user(uid: int | None) -> Iterator[None]:
    """Sockets made inside belong to that user."""
    if uid is None or uid == os.geteuid():
        yield
        return
    before = os.geteuid()
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(before)
