from __future__ import annotations

from discovery.translate.listeners.inbound_route import inbound_route_configuration
from discovery.translate.listeners.spec import InboundRoute
from discovery.wire.envoy import RouteConfiguration
from tests.kit.validity import problems


def _route(*, grpc: bool = False) -> RouteConfiguration:
    asked = InboundRoute(cluster="inbound|8080||", port=80, host="a.example", grpc=grpc)
    return RouteConfiguration(**inbound_route_configuration(asked))


def test_one_host_one_route() -> None:
    """Everything goes to the application, under names that operators know."""
    configuration = _route()
    assert problems(routes=[configuration]) == []
    (host,) = configuration.virtual_hosts
    (route,) = host.routes
    assert (configuration.name, host.name, route.name) == ("inbound|8080||", "inbound|http|80", "default")
    assert route.route.cluster == "inbound|8080||"
    assert route.decorator.operation == "a.example:80/*"


def test_only_http_is_retried() -> None:
    """A request that never reached the application is sent again, but gRPC clients retry by themselves."""
    assert _route().virtual_hosts[0].routes[0].route.retry_policy.retry_on == "reset-before-request"
    assert not _route(grpc=True).virtual_hosts[0].routes[0].route.HasField("retry_policy")
