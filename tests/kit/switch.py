"""Network namespaces on one switch: machines of a small network, each with an address of its own."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.kit.netns import Namespace

__all__ = ["switched"]


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


@contextmanager
def switched(addresses: Mapping[str, tuple[str, ...]]) -> Iterator[Mapping[str, Namespace]]:
    """Namespaces by name, the first address of each on eth0, the second on eth1, and so on (IPv4, /24).

    Everything that is not on the network goes to the first machine, which answers nothing but what it serves.
    """
    tag = secrets.token_hex(3)
    switch = Namespace(f"switch-{tag}")
    made: list[Namespace] = []
    try:
        for name in ("switch", *addresses):
            namespace = Namespace(f"{name}-{tag}")
            _ip("netns", "add", namespace.name)
            made.append(namespace)
            _ip("-n", namespace.name, "link", "set", "lo", "up")
        _ip("-n", switch.name, "link", "add", "bridge0", "type", "bridge")
        _ip("-n", switch.name, "link", "set", "bridge0", "up")
        first = next(iter(addresses.values()))[0]
        for number, (name, own) in enumerate(addresses.items()):
            at = f"{name}-{tag}"
            for index, address in enumerate(own):
                port, link = f"port{number}-{index}", f"eth{index}"
                _ip("link", "add", link, "netns", at, "type", "veth", "peer", "name", port, "netns", switch.name)
                _ip("-n", switch.name, "link", "set", port, "master", "bridge0", "up")
                _ip("-n", at, "addr", "add", f"{address}/24", "dev", link)
                _ip("-n", at, "link", "set", link, "up")
            if own[0] != first:
                _ip("-n", at, "route", "add", "default", "via", first)
        yield {name: Namespace(f"{name}-{tag}") for name in addresses}
    finally:
        for namespace in reversed(made):
            _ip("netns", "delete", namespace.name)
