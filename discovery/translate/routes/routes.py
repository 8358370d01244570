"""The routes that a VirtualService makes for one caller, in order.

Spec: https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRoute
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from discovery.mesh.callers import Caller, condition
from discovery.mesh.virtual_services import ResolvedVirtualService
from discovery.schema.virtual_service import Destination, HTTPMatchRequest, HTTPRetry, HTTPRoute
from discovery.translate.metadata import config_path, istio_metadata
from discovery.translate.routes.action import Targets, forward
from discovery.translate.routes.cors import CORS_FILTER, cors
from discovery.translate.routes.fault import FAULT_FILTER, fault
from discovery.translate.routes.headers import add_headers
from discovery.translate.routes.match import is_catch_all, operation_path, route_match
from discovery.translate.routes.redirect import direct_response, redirect
from discovery.wire.names import parse_cluster, virtual_host_name

__all__ = ["destinations", "virtual_service_routes"]


def destinations(virtual_service: ResolvedVirtualService) -> Iterable[Destination]:
    """All destinations of its HTTP routes and mirrors, some perhaps more than once."""
    for route in virtual_service.http:
        yield from (to.destination for to in route.route if to.destination is not None)
        yield from (mirror.destination for mirror in route.mirrors if mirror.destination is not None)
        if route.mirror is not None:
            yield route.mirror


def virtual_service_routes(
    virtual_service: ResolvedVirtualService, caller: Caller, targets: Targets, default_retry: HTTPRetry | None
) -> list[dict[str, Any]]:
    """One route for each match that is meant for the caller, up to the first that takes every request.

    Args:
        virtual_service: whose HTTP routes.
        caller: the asking proxy and its listener port.
        targets: the cluster of each of its ``destinations``.
        default_retry: the mesh's retry policy, for routes without one.

    Returns:
        keyword forms of ``route.v3.Route``.
    """
    metadata = istio_metadata({"config": config_path(virtual_service.key)})
    built: list[dict[str, Any]] = []
    for route in virtual_service.http:
        meant = [match for match in route.match if condition(match).met_by(caller)] if route.match else [None]
        if not meant:
            continue
        common = _common(route, caller, targets, default_retry)
        common["metadata"] = metadata
        for match in meant:
            matched = route_match(match)
            operation = _operation(virtual_service, common, matched, caller.port)
            own = {"name": _name(route, match), "match": matched, "decorator": {"operation": operation}}
            if match is not None and match.stat_prefix:
                own["stat_prefix"] = match.stat_prefix
            built.append(common | own)
            if is_catch_all(matched):
                return built
    return built


def _common(route: HTTPRoute, caller: Caller, targets: Targets, default_retry: HTTPRetry | None) -> dict[str, Any]:
    """What is the same for all matches of a route."""
    fields: dict[str, Any] = {}
    add_headers(fields, route.headers)
    if route.redirect is not None:
        fields |= redirect(route.redirect, port=caller.port)
    elif route.direct_response is not None:
        fields |= direct_response(route.direct_response)
    else:
        forward(fields, route, targets, default_retry)
    filters: dict[str, Any] = {}
    if route.fault is not None and (faults := fault(route.fault)) is not None:
        filters[FAULT_FILTER] = faults
    if route.cors_policy is not None:
        filters[CORS_FILTER] = cors(route.cors_policy)
    if filters:
        fields["typed_per_filter_config"] = filters
    return fields


def _name(route: HTTPRoute, match: HTTPMatchRequest | None) -> str:
    return f"{route.name}.{match.name}" if match is not None and match.name else route.name


def _operation(
    virtual_service: ResolvedVirtualService, fields: Mapping[str, Any], matched: Mapping[str, Any], port: int
) -> str:
    """What traces call the route: its destination and path; several destinations go by the VirtualService's name."""
    cluster = parse_cluster(fields.get("route", {}).get("cluster", ""))
    if cluster is not None:
        authority = virtual_host_name(cluster.host, cluster.port)
    else:
        authority = virtual_host_name(virtual_service.key.name, port)
    return authority + operation_path(matched)
