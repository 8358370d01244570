"""Whether a text is an IP address: what Envoy must not take for a name, and people may write in its place."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

__all__ = ["is_address"]


@lru_cache(maxsize=4096)
def is_address(text: str) -> bool:
    """Whether the text is one address, of IPv4 or IPv6; a range is none."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
