"""Who serves a named port of a host: what a question for ``_name._tcp.host`` stands for, by the table alone.

Spec: https://www.rfc-editor.org/rfc/rfc2782, and for the names of Kubernetes
https://github.com/kubernetes/dns/blob/master/docs/specification.md, 2.3.2 and 2.4.2
"""

from __future__ import annotations

from typing import Final, NamedTuple

from agent.dns.messages import Target, wire_name
from agent.dns.table import Found, Table

__all__ = ["Located", "find_targets"]

_TRANSPORTS: Final = {b"_tcp": False, b"_udp": True}
_STAR: Final = b"\x01*"


class Located(NamedTuple):
    """The servers of a service, at least one, and the name that the one asked for is another one for, if it is."""

    targets: tuple[Target, ...]
    alias: bytes = b""


def find_targets(table: Table, name: bytes, labels: tuple[int, ...]) -> Located | None:
    """None: the name is no service, its host is not in the table, or has no such port; others may know it.

    Args:
        table: of names, addresses and ports.
        name: in wire form, lower case.
        labels: where in it labels begin.
    """
    if len(labels) < 3:
        return None
    host_at = labels[2]
    service, transport = name[1 : labels[1]], name[labels[1] + 1 : host_at]
    if service[:1] != b"_" or transport not in _TRANSPORTS:
        return None
    host = name[host_at:]
    found = table.lookup(host, tuple(at - host_at for at in labels[2:]))
    if not isinstance(found, Found):
        return None
    alias = found.alias if not found.alias.startswith(_STAR) else b""
    wanted, udp = service[1:].decode("ascii", "replace"), _TRANSPORTS[transport]
    full = table.full_name(alias or host)
    own = Target(0, full, found.addresses.v4, found.addresses.v6)
    targets = [
        target
        for port in found.addresses.ports
        if port.name == wanted and port.udp == udp
        for target in (
            _members(table, port.number, port.targets) if port.targets else (own._replace(port=port.number),)
        )
    ]
    return Located(tuple(targets), name[:host_at] + alias if alias else b"") if targets else None


def _members(table: Table, port: int, texts: tuple[str, ...]) -> list[Target]:
    """Servers with names of their own."""
    members = []
    for text in texts:
        name = wire_name(text)
        if name is not None:
            addresses = table.exact(name)
            members.append(
                Target(port, name, addresses.v4, addresses.v6) if addresses is not None else Target(port, name)
            )
    return members
