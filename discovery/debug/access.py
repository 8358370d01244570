"""Who may look: callers on this machine, and those who prove to belong to the control plane's own namespace.

Others that prove who they are may look at proxies of their own namespace only.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from ipaddress import ip_address
from typing import Final

from discovery.auth.caller import Caller

__all__ = ["Access", "judge_access", "may_see"]

# What a workload's owner may see of his own namespace.
_OWN_NAMESPACE: Final = frozenset({"config_dump", "edsz", "ecdsz", "ndsz", "explain"})


class Access(Enum):
    """What a caller may look at."""

    NOBODY = "nobody"  # has not proved who it is
    NAMESPACE = "namespace"  # proxies of its own namespace
    ALL = "all"


def judge_access(peer: str, caller: Caller | None, *, root_namespace: str, allowed: Iterable[str] = ()) -> Access:
    """How far a caller may look.

    Args:
        peer: IP address of the other end of the connection itself, never of a header.
        caller: who it proved to be, None where it proved nothing.
        root_namespace: of the control plane.
        allowed: further namespaces whose identities may look at everything.
    """
    if _is_loopback(peer):
        return Access.ALL
    if caller is None or not caller.identities:
        return Access.NOBODY
    trusted = {root_namespace, *allowed}
    return Access.ALL if any(i.namespace in trusted for i in caller.identities) else Access.NAMESPACE


def _is_loopback(peer: str) -> bool:
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def may_see(access: Access, handler: str, *, proxy_namespace: str, caller: Caller | None) -> bool:
    """Whether a caller may use a handler for a proxy of some namespace; empty for handlers about no single proxy."""
    if access is Access.ALL:
        return True
    if access is Access.NOBODY or caller is None or handler not in _OWN_NAMESPACE:
        return False
    return any(identity.namespace == proxy_namespace for identity in caller.identities)
