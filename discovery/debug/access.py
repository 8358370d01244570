"""Who may look: callers on this machine, and those who prove to belong to the control plane's own namespace.

Others that prove who they are may look at proxies of their own namespace only.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from ipaddress import IPv6Address, ip_address
from typing import Final

from discovery.auth.caller import Caller

__all__ = ["Access", "judge_access", "may_see"]

# What a workload's owner may see of his own namespace.
_OWN_NAMESPACE: Final = frozenset({"config_dump", "edsz", "ecdsz", "ndsz", "explain", "resources"})


class Access(Enum):
    """What a caller may look at."""

    NOBODY = "nobody"  # has not proved who it is
    NAMESPACE = "namespace"  # proxies of its own namespace
    ALL = "all"


def judge_access(
    peer: str, caller: Caller | None, *, host: str = "localhost", root_namespace: str, allowed: Iterable[str] = ()
) -> Access:
    """How far a caller may look.

    Args:
        peer: IP address of the other end of the connection itself, never of a header.
        caller: who it proved to be, None where it proved nothing.
        host: what the request calls us, with or without a port. A browser on this machine that was led here under a
            foreign name (DNS rebinding) is not the person who sits before it.
        root_namespace: of the control plane.
        allowed: further namespaces whose identities may look at everything.
    """
    if caller is None or not caller.identities:
        return Access.ALL if _is_loopback(peer) and _is_local_name(host) else Access.NOBODY
    trusted = {root_namespace, *allowed}
    if _is_loopback(peer) or any(identity.namespace in trusted for identity in caller.identities):
        return Access.ALL
    return Access.NAMESPACE


def _is_loopback(peer: str) -> bool:
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _is_local_name(host: str) -> bool:
    """Whether a ``Host`` header names a machine by address or as itself."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name.lower() == "localhost" or name.lower().endswith(".localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def may_see(access: Access, handler: str, *, proxy_namespace: str = "", caller: Caller | None = None) -> bool:
    """Whether a caller may use a handler, and that for a proxy of a namespace if one is given."""
    if access is not Access.NAMESPACE:
        return access is Access.ALL
    if handler not in _OWN_NAMESPACE:
        return False
    return not proxy_namespace or (
        caller is not None and any(i.namespace == proxy_namespace for i in caller.identities)
    )
