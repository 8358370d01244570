"""Where the DNS proxy listens and whom it asks: from settings and the host's ``resolv.conf``, as a pure function."""

from __future__ import annotations

from typing import Final

import msgspec

from agent.dns.resolv_conf import ResolvConf
from agent.dns.upstream import Server

__all__ = ["DEFAULT_ADDRESS", "OWN_RESOLV_CONF", "RESOLV_CONF", "DnsPlan", "plan_dns", "split_listen"]

DEFAULT_ADDRESS: Final = "localhost:15053"
RESOLV_CONF: Final = "/etc/resolv.conf"
OWN_RESOLV_CONF: Final = "/var/lib/istio/resolv.conf"  # where resolv.conf itself names the agent
_DNS_PORT: Final = 53


class DnsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the DNS proxy is started with.

    Attributes:
        listen: addresses and ports.
        servers: upstream resolvers.
        needs_table: whether to answer nothing before the first table; who is the host's own resolver may not.
    """

    listen: tuple[tuple[str, int], ...]
    servers: tuple[Server, ...]
    search: tuple[str, ...] = ()
    needs_table: bool = True


def split_listen(address: str, *, low_port: bool) -> tuple[str, int, str]:
    """Host and port to listen on, and why they are not those that were wanted, if so.

    ``low_port``: whether port 53 may be bound.

    Raises:
        ValueError: the address is none.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"DNS_PROXY_ADDR={address!r}: want host:port, for example {DEFAULT_ADDRESS}")
    if int(port) == _DNS_PORT and not low_port:
        return (
            "localhost",
            15053,
            f"DNS_PROXY_ADDR={address}: port 53 needs root or CAP_NET_BIND_SERVICE; taking {DEFAULT_ADDRESS}",
        )
    return host, int(port), ""


def plan_dns(host: str, port: int, conf: ResolvConf) -> DnsPlan:
    """Loopback of each family that the host's resolvers have, or the address as it was given.

    A resolver that would be this proxy itself is left out: it would ask itself for ever.
    """
    hosts = [host]
    if host == "localhost":
        families = [
            ("127.0.0.1", any(":" not in s for s in conf.servers)),
            ("::1", any(":" in s for s in conf.servers)),
        ]
        hosts = [address for address, wanted in families if wanted] or ["127.0.0.1"]
    servers = tuple(Server(s) for s in conf.servers if port != _DNS_PORT or s not in hosts)
    listen = tuple((address, port) for address in hosts)
    return DnsPlan(listen=listen, servers=servers, search=conf.search, needs_table=port != _DNS_PORT)
