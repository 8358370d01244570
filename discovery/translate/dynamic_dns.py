"""Hosts that nobody declared, resolved by the proxy itself: outbound traffic policy ``ALLOW_ANY_DYNAMIC_DNS``.

Envoy's dynamic forward proxy looks up the host that a request names. Its filter and its cluster share a cache of
names, and must describe it alike.

Spec: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/dynamic_forward_proxy_filter
"""

from __future__ import annotations

from typing import Any, Final

from discovery.engine import Database
from discovery.mesh.proxy import OutboundView
from discovery.mesh.scope import outbound_policy
from discovery.schema.sidecar import OutboundTrafficPolicyMode
from discovery.wire.envoy import CaresDnsResolverConfig, pack

__all__ = ["CARES", "dns_cache", "dns_family", "family_of_unknown_hosts"]

CARES: Final = {
    "name": "envoy.network.dns_resolver.cares",
    "typed_config": pack(CaresDnsResolverConfig(udp_max_queries={"value": 100})),
}
_CACHE: Final = "allow_any_dfp_dns_cache"


def dns_family(*, ipv4: bool, ipv6: bool) -> str:
    """``DnsLookupFamily`` for a proxy with these address families."""
    if ipv4 and ipv6:
        return "ALL"
    return "V6_ONLY" if ipv6 else "V4_ONLY"


def family_of_unknown_hosts(db: Database, view: OutboundView) -> str:
    """``DnsLookupFamily`` in which a proxy resolves hosts that nobody declared; empty: it does not."""
    if outbound_policy(db, view.scope).mode is not OutboundTrafficPolicyMode.ALLOW_ANY_DYNAMIC_DNS:
        return ""
    return dns_family(ipv4=view.ipv4, ipv6=view.ipv6)


def dns_cache(family: str) -> dict[str, Any]:
    """The keyword form of ``DnsCacheConfig``."""
    return {"name": _CACHE, "dns_lookup_family": family, "typed_dns_resolver_config": CARES}
