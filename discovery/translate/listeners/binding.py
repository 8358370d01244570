"""Addresses that listeners bind, by the address families of the proxy."""

from __future__ import annotations

from typing import Final

__all__ = ["UNIX", "is_subnet", "localhost", "static_ports_of", "wildcards"]

UNIX: Final = "unix://"


def wildcards(*, ipv4: bool, ipv6: bool) -> tuple[str, ...]:
    """Any address, of each family that the proxy has; IPv4 first, it gives the listener its name."""
    return tuple(address for address, has in (("0.0.0.0", ipv4), ("::", ipv6)) if has) or ("0.0.0.0",)  # noqa: S104


def localhost(*, ipv4: bool) -> str:
    """The loopback address of the proxy's first family."""
    return "127.0.0.1" if ipv4 else "::1"


def is_subnet(address: str) -> bool:
    """Whether an address of a service is a range."""
    return "/" in address


def static_ports_of(bootstrap: frozenset[int], capture: tuple[int, int]) -> frozenset[int]:
    """Ports on the wildcard address that are taken already: by the proxy's bootstrap, and by the capture listeners."""
    return bootstrap | frozenset(port for port in capture if port > 0)
