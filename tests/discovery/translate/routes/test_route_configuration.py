"""Splicing of route configurations."""

from __future__ import annotations

from discovery.translate.routes.keys import RouteScope, route_scope
from discovery.translate.routes.route_configuration import (
    DelegatedRoutes,
    InlineRoutes,
    NamedHost,
    delegated_route_configuration,
    empty_route,
    inline_route_configuration,
    virtual_host_resource,
)
from discovery.translate.routes.selection import RoutesAt, route_hosts
from discovery.wire.envoy import RouteConfiguration, VirtualHost, serialize
from discovery.wire.resource import content_version
from tests.kit.world import World

SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: a, namespace: default}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80, name: http}]}
"""


def scope(world: World) -> RouteScope:
    return route_scope(world.view.outbound)


def test_spliced_bytes_are_those_of_a_whole_message() -> None:
    """Service hosts are put together from fields in their order: a decoder and encoder gives the same bytes back."""
    world = World(SERVICES)
    found = inline_route_configuration(world.db, InlineRoutes("80", RoutesAt(scope(world), 0, 80)))
    assert found.version == content_version(found.value)
    assert serialize(RouteConfiguration.FromString(found.value)) == found.value


def test_ports_behind_hosts_matter_to_forward_proxies_only() -> None:
    """Where all ports are covered by one route configuration, hosts are told apart by them."""
    world = World(SERVICES)
    for port in (80, 0):
        found = inline_route_configuration(world.db, InlineRoutes("x", RoutesAt(scope(world), 0, port)))
        assert RouteConfiguration.FromString(found.value).ignore_port_in_host_matching is bool(port)
        delegated = delegated_route_configuration(world.db, DelegatedRoutes("x", any_port=bool(port)))
        assert RouteConfiguration.FromString(delegated.value).ignore_port_in_host_matching is bool(port)


def test_a_virtual_host_by_itself_is_named_like_its_resource() -> None:
    """Else Envoy would not find it when it is removed."""
    world = World(SERVICES)
    hosts = route_hosts(world.db, RoutesAt(scope(world), 0, 80))
    found = virtual_host_resource(world.db, NamedHost("80/x", hosts["a.default.svc.cluster.local:80"]))
    assert VirtualHost.FromString(found.value).name == found.name == "80/x"


def test_empty_route() -> None:
    """A name without routes is answered by a configuration without hosts, and without VHDS."""
    found = RouteConfiguration.FromString(empty_route("x").value)
    assert (found.name, len(found.virtual_hosts), found.HasField("vhds")) == ("x", 0, False)
