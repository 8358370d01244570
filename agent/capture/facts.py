"""What the settings need to know of the host: addresses, DNS servers, the proxy's user."""

from __future__ import annotations

import ctypes
import os
import pwd
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from agent.bootstrap.addresses import Interface
from agent.capture.rules import Family, family_of
from agent.capture.settings import HostFacts

__all__ = ["enter_network_namespace", "parse_resolv_conf", "read_host_facts", "usable_families"]

_CLONE_NEWNET: Final = 0x40000000


def usable_families(interfaces: Iterable[Interface]) -> frozenset[Family]:
    """Families of the host's addresses; loopback and link-local ones do not count."""
    return frozenset(
        family_of(address)
        for interface in interfaces
        for address in interface.addresses
        if not (ip_address(address).is_loopback or ip_address(address).is_link_local)
    )


def parse_resolv_conf(text: str) -> tuple[str, ...]:
    """Addresses of the servers as written, without scopes."""
    servers = []
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            address = words[1].partition("%")[0]
            if _is_address(address):
                servers.append(address)
    return tuple(dict.fromkeys(servers))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def read_host_facts(*, envoy_user: str, resolv_conf: Path) -> HostFacts:
    """Ask the host.

    Raises:
        OSError: the kernel does not tell its addresses.
    """
    from agent.host import list_interfaces

    try:
        servers = parse_resolv_conf(resolv_conf.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        servers = ()
    try:
        uid = str(pwd.getpwnam(envoy_user).pw_uid)
    except KeyError:
        uid = ""
    return HostFacts(families=usable_families(list_interfaces()), dns_servers=servers, proxy_uid=uid)


def enter_network_namespace(path: Path) -> None:
    """This process and those it starts live in that network namespace from now on.

    Raises:
        OSError: there is none at that path, or root is missing.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # os.setns comes with Python 3.12.
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)
