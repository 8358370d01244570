"""Rendering of route configurations: with their virtual hosts (RDS), or with a pointer to where those come from (VHDS).

Virtual hosts are rendered elsewhere, once; here their bytes are spliced.

Spec: https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route.proto
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from discovery.engine import Database, query
from discovery.translate.routes.selection import HostRef, RoutesAt, route_hosts
from discovery.wire.envoy import RouteConfiguration, serialize
from discovery.wire.protowire import bytes_field, string_field
from discovery.wire.resource import Resource, content_version, resource
from discovery.wire.type_urls import ROUTE, VIRTUAL_HOST

__all__ = [
    "DelegatedRoutes",
    "InlineRoutes",
    "NamedHost",
    "delegated_route_configuration",
    "empty_route",
    "inline_route_configuration",
    "virtual_host_resource",
]

_NAME, _VIRTUAL_HOSTS = 1, 2  # field numbers of RouteConfiguration; a VirtualHost's name is 1 too

_VHDS: Final = {"config_source": {"ads": {}, "resource_api_version": "V3"}}
_MAX_BODY_BYTES: Final = 1024 * 1024  # of direct responses, Envoy's own limit is 4 kB


class InlineRoutes(NamedTuple):
    """A route configuration that holds its virtual hosts."""

    name: str
    at: RoutesAt


class DelegatedRoutes(NamedTuple):
    """A route configuration whose virtual hosts are delivered one by one."""

    name: str
    any_port: bool  # whether it ignores ports that clients write behind the host


class NamedHost(NamedTuple):
    """A virtual host that is delivered by itself."""

    name: str  # ``<route configuration>/<virtual host>``
    host: HostRef


def _common(*, any_port: bool) -> dict[str, Any]:
    return {
        "validate_clusters": {"value": False},  # clusters may come after the routes to them
        "max_direct_response_body_size_bytes": {"value": _MAX_BODY_BYTES},
        "ignore_port_in_host_matching": any_port,
    }


_AFTER_HOSTS: Final = {
    any_port: serialize(RouteConfiguration(**_common(any_port=any_port))) for any_port in (True, False)
}


@query
def inline_route_configuration(db: Database, key: InlineRoutes) -> Resource:
    """The route configuration with its virtual hosts."""
    parts = [string_field(_NAME, key.name)]
    for name, (render, host_key) in route_hosts(db, key.at).items():
        parts.append(bytes_field(_VIRTUAL_HOSTS, string_field(_NAME, name) + render(db, host_key)))
    parts.append(_AFTER_HOSTS[bool(key.at.port)])
    value = b"".join(parts)
    return Resource(key.name, content_version(value), ROUTE, value)


@query
def delegated_route_configuration(db: Database, key: DelegatedRoutes) -> Resource:
    """The route configuration without virtual hosts; it never changes when they do."""
    del db
    return resource(ROUTE, key.name, RouteConfiguration(name=key.name, vhds=_VHDS, **_common(any_port=key.any_port)))


@query
def virtual_host_resource(db: Database, key: NamedHost) -> Resource:
    """A virtual host by itself.

    Envoy finds the host that a removal is about by ``VirtualHost.name``, so that is the resource's name, not the
    shorter one it has inside of a route configuration (docs/adr/0002).
    """
    value = string_field(_NAME, key.name) + key.host.render(db, key.host.key)
    return Resource(key.name, content_version(value), VIRTUAL_HOST, value)


def empty_route(name: str) -> Resource:
    """A route configuration without any host: the answer for a name that nobody has, so that Envoy stops waiting."""
    return resource(ROUTE, name, RouteConfiguration(name=name, **_common(any_port=True)))
