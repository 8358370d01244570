"""Two network namespaces joined by a cable: a pod and its peer. Sockets are made inside them, as any user.

The kernel remembers where a socket was made and by whom, so one process can play the application, the proxy and the
client far away.
"""

from __future__ import annotations

import os
import secrets
import select
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from agent.capture.facts import enter_network_namespace

__all__ = ["PEER", "POD", "Addresses", "Namespace", "arrival", "joined_namespaces"]

_TIMEOUT_S: Final = 3.0


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Of one end: on the cable, and on a second cable."""

    v4: str
    v6: str
    second: str


POD: Final = Addresses(v4="10.77.0.2", v6="fd77::2", second="10.78.0.2")
PEER: Final = Addresses(v4="10.77.0.1", v6="fd77::1", second="10.78.0.1")


class Namespace(msgspec.Struct, frozen=True):
    """A network namespace by its name."""

    name: str

    @property
    def path(self) -> Path:
        """The file that stands for it."""
        return Path("/run/netns") / self.name

    def run(self, *command: str) -> str:
        """The output of a program inside, which must succeed."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *command], capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    @contextmanager
    def inside(self, *, uid: int = 0, gid: int = 0) -> Iterator[None]:
        """This thread is inside, and is that user; sockets that are made here stay there."""
        own = Path("/proc/self/ns/net").resolve(strict=False)
        descriptor = os.open("/proc/self/ns/net", os.O_RDONLY)
        enter_network_namespace(self.path)
        os.setegid(gid)
        os.seteuid(uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)
            enter_network_namespace(Path(f"/proc/self/fd/{descriptor}"))
            os.close(descriptor)
            assert Path("/proc/self/ns/net").resolve(strict=False) == own

    def open(
        self, host: str, kind: socket.SocketKind = socket.SOCK_STREAM, *, uid: int = 0, gid: int = 0
    ) -> socket.socket:
        """A socket of the host's family."""
        with self.inside(uid=uid, gid=gid):
            made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
        made.settimeout(_TIMEOUT_S)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in host:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        return made

    def listen(
        self,
        host: str,
        port: int,
        kind: socket.SocketKind = socket.SOCK_STREAM,
        *,
        transparent: bool = False,
        uid: int = 0,
    ) -> socket.socket:
        """A listener, or a bound datagram socket. ``transparent``: also for addresses that are not ours."""
        listener = self.open(host, kind, uid=uid)
        if transparent:
            listener.setsockopt(socket.SOL_IP, socket.IP_TRANSPARENT, 1)
        listener.bind((host, port))
        if kind is socket.SOCK_STREAM:
            listener.listen()
        return listener

    def connect(self, host: str, port: int, *, uid: int = 0, gid: int = 0) -> socket.socket:
        """A connection that is made; by whom it was taken is seen at the listeners."""
        caller = self.open(host, uid=uid, gid=gid)
        caller.connect((host, port))
        return caller


def arrival(listeners: Mapping[str, socket.socket]) -> tuple[str, socket.socket]:
    """Name of the listener that is called, and the accepted connection.

    Raises:
        TimeoutError: nobody calls.
    """
    ready, _, _ = select.select(list(listeners.values()), [], [], _TIMEOUT_S)
    if not ready:
        raise TimeoutError(f"nobody came to {', '.join(listeners)}")
    (name,) = (name for name, listener in listeners.items() if listener is ready[0])
    connection, _ = ready[0].accept()
    connection.settimeout(_TIMEOUT_S)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leave no TIME-WAIT behind
    return name, connection


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


@contextmanager
def joined_namespaces() -> Iterator[tuple[Namespace, Namespace]]:
    """The pod and its peer, joined by eth0 (both families) and eth1; both go when the context ends."""
    tag = secrets.token_hex(3)
    pod, peer = Namespace(f"pod-{tag}"), Namespace(f"peer-{tag}")
    made = []
    try:
        for namespace in (pod, peer):
            _ip("netns", "add", namespace.name)
            made.append(namespace)
        for link in ("eth0", "eth1"):
            _ip("link", "add", link, "netns", pod.name, "type", "veth", "peer", "name", link, "netns", peer.name)
        for namespace, addresses in ((pod, POD), (peer, PEER)):
            at = ("-n", namespace.name)
            _ip(*at, "addr", "add", f"{addresses.v4}/24", "dev", "eth0")
            _ip(*at, "addr", "add", f"{addresses.v6}/64", "dev", "eth0", "nodad")
            _ip(*at, "addr", "add", f"{addresses.second}/24", "dev", "eth1")
            for link in ("lo", "eth0", "eth1"):
                _ip(*at, "link", "set", link, "up")
        yield pod, peer
    finally:
        for namespace in made:
            _ip("netns", "delete", namespace.name)
