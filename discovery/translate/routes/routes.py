"""The routes that a VirtualService makes for one caller, in order.

Spec: https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRoute
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from discovery.mesh.callers import Caller, meant_for
from discovery.mesh.virtual_services import ResolvedVirtualService
from discovery.schema.virtual_service import Destination, HTTPMatchRequest, HTTPRoute
from discovery.translate.metadata import config_path
from discovery.translate.routes.action import Defaults, Targets, forward
from discovery.translate.routes.cors import CORS_FILTER, cors
from discovery.translate.routes.fault import FAULT_FILTER, fault
from discovery.translate.routes.headers import add_headers
from discovery.translate.routes.match import is_catch_all, operation_path, route_match
from discovery.translate.routes.redirect import UNSERVABLE, direct_response, redirect
from discovery.wire.envoy import Route, serialize
from discovery.wire.names import virtual_host_name
from discovery.wire.protowire import bytes_field, string_field

__all__ = ["destinations", "virtual_service_routes"]

# Field numbers of Route, core.v3.Metadata, Struct, Value and map entries.
_ROUTE_ACTION, _METADATA = 2, 4
_FILTER_METADATA = 1
_FIELDS = 1
_STRING_VALUE = 3
_KEY, _VALUE = 1, 2


def destinations(virtual_service: ResolvedVirtualService) -> Iterable[Destination]:
    """All destinations of its HTTP routes and mirrors, some perhaps more than once."""
    for route in virtual_service.http:
        yield from (to.destination for to in route.route if to.destination is not None)
        yield from (mirror.destination for mirror in route.mirrors if mirror.destination is not None)
        if route.mirror is not None:
            yield route.mirror


def virtual_service_routes(
    virtual_service: ResolvedVirtualService, caller: Caller, targets: Targets, defaults: Defaults
) -> list[bytes]:
    """One ``route.v3.Route`` for each match that is meant for the caller, up to the first that takes every request.

    What the matches of a route have in common is serialised once, and put behind what each has of its own.

    Args:
        virtual_service: whose HTTP routes.
        caller: the asking proxy and its listener port.
        targets: the cluster of each of its ``destinations``.
        defaults: of the mesh.
    """
    metadata = _origin(config_path(virtual_service.key))
    built: list[bytes] = []
    for route in virtual_service.http:
        meant: list[HTTPMatchRequest | None] = [None]
        if route.match:
            meant = [match for match in route.match if meant_for(match, caller)]
            if not meant:
                continue
        common = _common(route, caller, targets, defaults) + metadata
        authority = _authority(virtual_service, route, caller.port, targets)
        for match in meant:
            matched = route_match(match)
            own: dict[str, Any] = {
                "name": _name(route, match),
                "match": matched,
                "decorator": {"operation": authority + operation_path(matched)},
            }
            if match is not None and match.stat_prefix:
                own["stat_prefix"] = match.stat_prefix
            built.append(serialize(Route(**own)) + common)
            if is_catch_all(matched):
                return built
    return built


def _origin(path: str) -> bytes:
    """``metadata.filter_metadata.istio.config`` of a route: the object that it is made from."""
    config = string_field(_KEY, "config") + bytes_field(_VALUE, string_field(_STRING_VALUE, path))
    istio = string_field(_KEY, "istio") + bytes_field(_VALUE, bytes_field(_FIELDS, config))
    return bytes_field(_METADATA, bytes_field(_FILTER_METADATA, istio))


def _common(route: HTTPRoute, caller: Caller, targets: Targets, defaults: Defaults) -> bytes:
    """What is the same for all matches of a route."""
    fields: dict[str, Any] = {}
    action: bytes | None = None
    add_headers(fields, route.headers)
    if route.redirect is not None:
        fields |= redirect(route.redirect, port=caller.port)
    elif route.direct_response is not None:
        fields |= direct_response(route.direct_response)
    else:
        action = forward(fields, route, targets, defaults)
        if action is None:
            fields |= UNSERVABLE
    filters = _filters(route)
    if filters:
        fields["typed_per_filter_config"] = filters
    built = serialize(Route(**fields)) if fields else b""
    return built if action is None else built + bytes_field(_ROUTE_ACTION, action)


def _filters(route: HTTPRoute) -> Mapping[str, Any]:
    filters: dict[str, Any] = {}
    if route.fault is not None and (faults := fault(route.fault)) is not None:
        filters[FAULT_FILTER] = faults
    if route.cors_policy is not None:
        filters[CORS_FILTER] = cors(route.cors_policy)
    return filters


def _name(route: HTTPRoute, match: HTTPMatchRequest | None) -> str:
    return f"{route.name}.{match.name}" if match is not None and match.name else route.name


def _authority(virtual_service: ResolvedVirtualService, route: HTTPRoute, port: int, targets: Targets) -> str:
    """What traces call the destination; several go by the VirtualService's name."""
    forwards = route.redirect is None and route.direct_response is None
    if forwards and len(route.route) == 1 and route.route[0].destination is not None:
        return targets[route.route[0].destination].authority
    return virtual_host_name(virtual_service.key.name, port)
