"""The host's resolver configuration: whom to ask about names that are not the mesh's.

Spec: resolv.conf(5); ``ndots`` and ``options`` are the client's business.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

__all__ = ["ResolvConf", "parse_resolv_conf"]


class ResolvConf(NamedTuple):
    """Name servers (addresses) and search domains, in order."""

    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()


def parse_resolv_conf(text: str) -> ResolvConf:
    """Read the file as the C library does: unreadable lines are skipped, the last ``search`` or ``domain`` counts."""
    servers: dict[str, None] = {}
    search: tuple[str, ...] = ()
    for line in text.splitlines():
        words = line.split("#", 1)[0].split(";", 1)[0].split()
        match words:
            case ["nameserver", address, *_] if _is_address(address):
                servers[address] = None
            case ["search", *domains] if domains:
                search = tuple(domains)
            case ["domain", domain, *_]:
                search = (domain,)
            case _:
                continue
    return ResolvConf(tuple(servers), search)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)  # also with a zone, as in fe80::1%eth0
    except ValueError:
        return False
    return True
