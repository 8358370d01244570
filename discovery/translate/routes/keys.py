"""What routes depend on, and nothing else: the part of a proxy's view, and the identity of every virtual host."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from discovery.mesh.callers import Caller
from discovery.mesh.destination_rules import RuleSources
from discovery.mesh.proxy import Labels, OutboundView, ScopeKey
from discovery.schema.meta import ObjectKey
from discovery.schema.sidecar import OutboundTrafficPolicyMode

__all__ = [
    "ANY_HOST",
    "CatchAll",
    "DestinationFacts",
    "RouteScope",
    "RoutedHost",
    "ScopedHost",
    "ServiceHost",
    "VirtualHostsOf",
    "route_scope",
]

ANY_HOST = ("*",)


class VirtualHostsOf(NamedTuple):
    """The virtual hosts of one route configuration of a view."""

    view: OutboundView
    route: str


class RouteScope(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """All of a proxy that its outbound routes depend on."""

    scope: ScopeKey
    dns_domain: str
    auto_addresses: bool = False  # the proxy resolves hosts to addresses that were allocated for it
    route_labels: Labels = ()
    rule_labels: Labels = ()


def route_scope(view: OutboundView) -> RouteScope:
    """The part of a view that routes depend on."""
    return RouteScope(
        scope=view.scope,
        dns_domain=view.dns_domain,
        auto_addresses=view.dns_auto_allocate,
        route_labels=view.route_labels,
        rule_labels=view.rule_labels,
    )


class ServiceHost(msgspec.Struct, frozen=True, cache_hash=True):
    """The virtual host of a service that no VirtualService claims."""

    host: str
    port: int
    domains: tuple[str, ...]
    rule: RuleSources = ()  # whose consistent hashing the route follows


class ScopedHost(msgspec.Struct, frozen=True, cache_hash=True):
    """A virtual host with the routes of a VirtualService, as one scope sees its destinations."""

    scope: RouteScope
    virtual_service: ObjectKey
    port: int
    domains: tuple[str, ...]


class DestinationFacts(NamedTuple):
    """What a destination host means to a scope."""

    host: str
    stands_for: str  # itself, or another host if it is an alias
    only_port: int = 0  # the service's port if it has just one
    rule: RuleSources = ()


class RoutedHost(msgspec.Struct, frozen=True, cache_hash=True):
    """A virtual host with the routes of a VirtualService, shared by all scopes to which it means the same."""

    virtual_service: ObjectKey
    caller: Caller
    domains: tuple[str, ...]
    destinations: tuple[DestinationFacts, ...]


class CatchAll(NamedTuple):
    """The virtual host for hosts that the mesh does not know."""

    mode: OutboundTrafficPolicyMode
    cluster: str = ""  # where to send them instead of where they were going
