from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path

import pytest

from agent.host import list_interfaces, may_bind, parse_addresses, parse_links, resolve_udp, socket_answers


def _attribute(kind: int, value: bytes) -> bytes:
    data = struct.pack("=HH", 4 + len(value), kind) + value
    return data + b"\0" * (-len(data) % 4)


def _message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body + b"\0" * (-len(body) % 4)


def test_links_are_read() -> None:
    """Index, name and flags; other messages are passed over."""
    link = struct.pack("=BxHiII", 0, 1, 7, 0x41, 0) + _attribute(1, b"\1" * 6) + _attribute(3, b"eth0\0")
    assert parse_links(_message(20, b"") + _message(16, link) + _message(3, b"")) == [(7, "eth0", 0x41)]


def test_addresses_are_read() -> None:
    """Ours on a point-to-point link, whose other attribute is the peer's; IPv6 has but one."""
    four = struct.pack("=BBBBi", 2, 24, 0, 0, 7)
    peer, local = _attribute(1, bytes([10, 0, 0, 2])), _attribute(2, bytes([10, 0, 0, 1]))
    six = struct.pack("=BBBBi", 10, 64, 0, 0, 7) + _attribute(1, socket.inet_pton(socket.AF_INET6, "fd00::1"))
    assert parse_addresses(_message(20, four + peer + local) + _message(20, six)) == [(7, "10.0.0.1"), (7, "fd00::1")]


@pytest.mark.parametrize("data", [b"", b"\0" * 15, struct.pack("=IHHII", 4, 16, 0, 1, 0)])
def test_truncated_answers_end(data: bytes) -> None:
    """Nothing loops on them."""
    assert parse_links(data) == []
    assert parse_addresses(data) == []


def test_this_host_has_loopback() -> None:
    """The kernel's own answer is understood."""
    loopback = [interface for interface in list_interfaces() if interface.loopback]
    assert "127.0.0.1" in loopback[0].addresses


async def test_a_socket_nobody_serves_does_not_answer(tmp_path: Path) -> None:
    """Neither a missing file, nor a plain one, nor one that a dead process left."""
    (tmp_path / "file").write_text("")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "dead"))
    for name in ("absent", "file", "dead"):
        assert not await socket_answers(tmp_path / name, timeout_s=0.05)


async def test_a_grpc_server_answers(tmp_path: Path) -> None:
    """Its first HTTP/2 frame is what counts."""
    import grpc.aio

    server = grpc.aio.server()
    server.add_insecure_port(f"unix:{tmp_path}/s")
    await server.start()
    assert await socket_answers(tmp_path / "s", timeout_s=5)
    await server.stop(0)


async def test_udp_names_are_resolved() -> None:
    """Addresses stay, IPv6 gets brackets, a name that is none is an error."""
    assert await resolve_udp("127.0.0.1", 9125, timeout_s=5) == "127.0.0.1:9125"
    assert await resolve_udp("::1", 9125, timeout_s=5) == "[::1]:9125"
    with pytest.raises(OSError, match=r".+"):
        await resolve_udp("name.invalid", 9125, timeout_s=5)
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("port", "first_free", "capabilities", "allowed"),
    [
        (53, "1024", "0000000000000000", False),
        (53, "1024", "0000000000000400", True),
        (53, "1024", "000001fffffffbff", False),  # root of a container that took this one away
        (53, "53", "0000000000000000", True),
        (53, None, "0000000000000000", False),
        (15053, "1024", "0000000000000000", True),
    ],
)
def test_low_ports_need_a_right(
    tmp_path: Path, port: int, first_free: str | None, capabilities: str, *, allowed: bool
) -> None:
    """It need not be root's, and root need not have it."""
    for name, text in (("self/status", f"Name:\tx\nCapEff:\t{capabilities}\n"), ("sys/net/ipv4/x", "")):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    if first_free is not None:
        (tmp_path / "sys/net/ipv4/ip_unprivileged_port_start").write_text(first_free + "\n")
    assert may_bind(port, proc=tmp_path) is allowed


def test_the_right_is_what_the_kernel_says() -> None:
    """As it is for this process: an attempt has the same answer."""
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.97", 53))
            bound = True
        except PermissionError:
            bound = False
    assert may_bind(53) is bound
