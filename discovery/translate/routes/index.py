"""Tables of routes: which route configurations a view has, and which virtual hosts each of them.

A view with VHDS gets the virtual hosts of route configurations with many hosts one by one. One that covers a single
service stays whole: it would be two resources instead of one, and as small.
"""

from __future__ import annotations

from typing import NamedTuple

from discovery.engine import Database, query
from discovery.mesh.proxy import OutboundView
from discovery.translate.routes.keys import RouteScope, VirtualHostsOf, route_scope
from discovery.translate.routes.names import RoutePlace, route_names
from discovery.translate.routes.route_configuration import (
    DelegatedRoutes,
    InlineRoutes,
    NamedHost,
    delegated_route_configuration,
    inline_route_configuration,
    virtual_host_resource,
)
from discovery.translate.routes.selection import RoutesAt, route_hosts
from discovery.translate.tables import Index, ResourceRef
from discovery.wire.names import virtual_host_resource as virtual_host_resource_name
from discovery.wire.node import NodeType

__all__ = ["route_index", "virtual_host_index"]


@query
def route_index(db: Database, view: OutboundView) -> Index:
    """The route configurations of a view."""
    if view.type is not NodeType.SIDECAR:
        return {}
    return _routes(db, _Routes(route_scope(view), view.vhds))


@query
def virtual_host_index(db: Database, key: VirtualHostsOf) -> Index:
    """The virtual hosts that a view gets one by one for a route configuration; none for those that are sent whole."""
    view = key.view
    if not view.vhds or view.type is not NodeType.SIDECAR:
        return {}
    place = route_names(db, view.scope).get(key.route)
    if place is None or place.host:
        return {}
    return _virtual_hosts(db, InlineRoutes(key.route, _at(route_scope(view), place)))


class _Routes(NamedTuple):
    scope: RouteScope
    vhds: bool


@query
def _routes(db: Database, key: _Routes) -> Index:
    return {name: _route(key, name, place) for name, place in route_names(db, key.scope.scope).items()}


def _route(key: _Routes, name: str, place: RoutePlace) -> ResourceRef:
    if key.vhds and not place.host:
        return ResourceRef(delegated_route_configuration, DelegatedRoutes(name, any_port=bool(place.port)))
    return ResourceRef(inline_route_configuration, InlineRoutes(name, _at(key.scope, place)))


def _at(scope: RouteScope, place: RoutePlace) -> RoutesAt:
    return RoutesAt(scope, place.position, place.port, place.host)


@query
def _virtual_hosts(db: Database, routes: InlineRoutes) -> Index:
    refs: dict[str, ResourceRef] = {}
    for host, ref in route_hosts(db, routes.at).items():
        name = virtual_host_resource_name(routes.name, host)
        refs[name] = ResourceRef(virtual_host_resource, NamedHost(name, ref))
    return refs
