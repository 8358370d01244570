"""Rendering of virtual hosts."""

from __future__ import annotations

from discovery.mesh.callers import Caller
from discovery.schema.meta import Kind, ObjectKey
from discovery.schema.sidecar import OutboundTrafficPolicyMode
from discovery.translate.routes.keys import (
    CatchAll,
    DestinationFacts,
    RoutedHost,
    ScopedHost,
    ServiceHost,
    route_scope,
)
from discovery.translate.routes.virtual_host import (
    catch_all_name,
    catch_all_virtual_host,
    routed_virtual_host,
    scoped_virtual_host,
    service_virtual_host,
)
from discovery.wire.envoy import VirtualHost
from tests.kit.virtual_services import document, key
from tests.kit.world import World

GONE = ObjectKey(Kind.VIRTUAL_SERVICE, "shop", "gone")


def test_service() -> None:
    """One default route to the service's cluster, with its domains."""
    world = World()
    built = VirtualHost.FromString(service_virtual_host(world.db, ServiceHost("a.example", 80, ("a.example", "a"))))
    assert list(built.domains) == ["a.example", "a"]
    (route,) = built.routes
    assert (route.name, route.match.prefix, route.route.cluster) == ("default", "/", "outbound|80||a.example")
    assert route.decorator.operation == "a.example:80/*"
    assert built.include_request_attempt_count


def test_unknown_hosts_pass_or_not() -> None:
    """They go on to where they were going, to an egress proxy, or are answered with 502."""
    world = World()
    modes = OutboundTrafficPolicyMode
    found = {
        key: VirtualHost.FromString(catch_all_virtual_host(world.db, key)).routes[0]
        for key in (
            CatchAll(modes.ALLOW_ANY),
            CatchAll(modes.ALLOW_ANY, "x"),
            CatchAll(modes.REGISTRY_ONLY),
            CatchAll(modes.ALLOW_ANY_DYNAMIC_DNS),
        )
    }
    assert [route.route.cluster or route.direct_response.status for route in found.values()] == [
        "PassthroughCluster",
        "x",
        502,
        "AllowAnyDynamicDNSCluster",
    ]
    assert [catch_all_name(mode) for mode in modes] == ["block_all", "allow_any", "allow_any_dynamic_dns"]


def test_a_virtual_service_that_is_gone_leaves_no_routes() -> None:
    """Between its removal and the next selection there is nothing to render, and nothing breaks."""
    world = World()
    scoped = scoped_virtual_host(world.db, ScopedHost(route_scope(world.view.outbound), GONE, 80, ("a",)))
    routed = routed_virtual_host(world.db, RoutedHost(GONE, Caller(80, ""), ("a",), ()))
    assert scoped == routed
    assert not VirtualHost.FromString(routed).routes


def test_destinations() -> None:
    """A destination without a host is a cluster that is never there; an unknown host keeps its name."""
    world = World(
        document(
            "a",
            "hosts: [a]\nhttp:\n- {match: [{uri: {exact: /x}}], route: [{destination: {host: ''}}]}\n"
            "- {route: [{destination: {host: b.example}}]}",
        )
    )
    facts = (DestinationFacts("b.example", "c.example", 8080),)
    for about, wanted in (((), "outbound|80||b.example"), (facts, "outbound|8080||c.example")):
        built = VirtualHost.FromString(
            routed_virtual_host(world.db, RoutedHost(key("a"), Caller(80, ""), ("a",), about))
        )
        assert [route.route.cluster for route in built.routes] == ["UnknownService", wanted]
