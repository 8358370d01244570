"""What only the host can tell: addresses of its interfaces, and whether somebody answers at a Unix socket."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from agent.bootstrap.addresses import Interface

__all__ = ["list_interfaces", "may_bind", "parse_addresses", "parse_links", "resolve_udp", "socket_answers"]

# Netlink, for the standard library knows only names of interfaces. Spec: rtnetlink(7).
_GET_LINK, _GET_ADDRESS = 18, 22
_NEW_LINK, _NEW_ADDRESS, _DONE, _ERROR = 16, 20, 3, 2
_REQUEST_DUMP: Final = 0x1 | 0x300
_ATTRIBUTE_ADDRESS, _ATTRIBUTE_LOCAL, _ATTRIBUTE_NAME = 1, 2, 3
_UP, _LOOPBACK = 0x1, 0x8
_CAP_NET_BIND_SERVICE: Final = 10  # capability.h
_PROC: Final = Path("/proc")
_HEADER: Final = struct.Struct("=IHHII")


def list_interfaces() -> tuple[Interface, ...]:
    """The interfaces of this network namespace with their addresses.

    Raises:
        OSError: the kernel does not answer.
    """
    links = parse_links(_dump(_GET_LINK))
    addresses: dict[int, list[str]] = {}
    for index, address in parse_addresses(_dump(_GET_ADDRESS)):
        addresses.setdefault(index, []).append(address)
    return tuple(
        Interface(
            name=name,
            up=bool(flags & _UP),
            loopback=bool(flags & _LOOPBACK),
            addresses=tuple(addresses.get(index, ())),
        )
        for index, name, flags in links
    )


def _dump(kind: int) -> bytes:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.settimeout(2)
        netlink.send(_HEADER.pack(_HEADER.size + 1, kind, _REQUEST_DUMP, 1, 0) + b"\0")
        data = bytearray()
        while True:
            part = netlink.recv(1 << 18)
            data += part
            if any(number in (_DONE, _ERROR) for number, _ in _messages(part)):
                return bytes(data)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _HEADER.size <= len(data):
        size, kind, _, _, _ = _HEADER.unpack_from(data, at)
        if size < _HEADER.size:
            return
        yield kind, data[at + _HEADER.size : at + size]
        at += size + 3 & ~3


def _attributes(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        if size < 4:
            break
        found[kind] = data[at + 4 : at + size]
        at += size + 3 & ~3
    return found


def parse_links(data: bytes) -> list[tuple[int, str, int]]:
    """Index, name and flags of each interface in a netlink answer."""
    links = []
    for kind, body in _messages(data):
        if kind == _NEW_LINK:
            _, _, index, flags, _ = struct.unpack_from("=BxHiII", body)
            name = _attributes(body[16:]).get(_ATTRIBUTE_NAME, b"").rstrip(b"\0").decode("utf-8", "replace")
            links.append((index, name, flags))
    return links


def parse_addresses(data: bytes) -> list[tuple[int, str]]:
    """Interface index and address of each address in a netlink answer."""
    found = []
    for kind, body in _messages(data):
        if kind == _NEW_ADDRESS:
            attributes = _attributes(body[8:])
            # On point-to-point links ADDRESS is the peer's, LOCAL ours; IPv6 has only ADDRESS.
            raw = attributes.get(_ATTRIBUTE_LOCAL) or attributes.get(_ATTRIBUTE_ADDRESS)
            if raw and len(raw) in (4, 16):
                found.append((struct.unpack_from("=i", body, 4)[0], str(ip_address(raw))))
    return found


async def socket_answers(path: Path, *, timeout_s: float) -> bool:
    """Whether a gRPC server answers at a Unix socket; a file that nobody serves does not."""
    if not _is_socket(path):
        return False
    import grpc.aio

    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        try:
            async with asyncio.timeout(timeout_s):
                await channel.channel_ready()
        except TimeoutError:
            return False
    return True


def _is_socket(path: Path) -> bool:
    return path.is_socket()


async def resolve_udp(host: str, port: int, *, timeout_s: float) -> str:
    """``ip:port`` of a UDP service.

    Raises:
        OSError: the name does not resolve, or not in time.
    """
    async with asyncio.timeout(timeout_s):
        infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    address = str(infos[0][4][0])
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def may_bind(port: int, *, proc: Path = _PROC) -> bool:
    """Whether this process may listen on a port: low ones need a capability, which need not be root's."""
    try:
        first_free = int((proc / "sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii"))
    except (OSError, ValueError):
        first_free = 1024
    if port >= first_free:
        return True
    try:
        status = (proc / "self/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return os.geteuid() == 0
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> _CAP_NET_BIND_SERVICE & 1)
