"""Names of route configurations: ``80``, ``reviews.shop.svc.cluster.local:9080``, ``http_proxy``, ``unix:///path``.

Listeners ask for them by these names; ``listeners.outbound`` knows which listener uses which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from discovery.engine import Database, query
from discovery.mesh.proxy import ScopeKey
from discovery.mesh.scope import EgressListener, egress_listeners
from discovery.registry.protocol import parse_protocol
from discovery.registry.service import Protocol, ProtocolClass
from discovery.schema.sidecar import SidecarPort
from discovery.translate.routes.hosts import EgressHosts, HostPort, ListenerAt, egress_hosts

__all__ = ["RoutePlace", "route_names"]

_FORWARD_PROXY: Final = "http_proxy"
_UNIX: Final = "unix://"


class RoutePlace(NamedTuple):
    """What a route configuration covers."""

    position: int  # of the egress listener
    port: int  # 0: all
    host: str = ""  # the one service of a listener on that service's own address; empty: all hosts


@query
def route_names(db: Database, scope: ScopeKey) -> Mapping[str, RoutePlace]:
    """All route configurations that sidecars of a scope may ask for; of equal names the first listener's counts."""
    names: dict[str, RoutePlace] = {}
    for position, listener in enumerate(egress_listeners(db, scope)):
        hosts = egress_hosts(db, ListenerAt(scope, position))
        for name, place in _of_listener(position, listener, hosts):
            names.setdefault(name, place)
    return names


def _of_listener(position: int, listener: EgressListener, hosts: EgressHosts) -> Iterator[tuple[str, RoutePlace]]:
    if listener.port is not None:
        yield from _of_port(position, listener, listener.port, hosts)
        return
    yield _FORWARD_PROXY, RoutePlace(position, 0)
    for port, services in hosts.by_port.items():
        if any(service.has_routes for service in services.values()):
            yield str(port), RoutePlace(position, port)
            yield from _sniffed(position, port, services)


def _of_port(
    position: int, listener: EgressListener, port: SidecarPort, hosts: EgressHosts
) -> Iterator[tuple[str, RoutePlace]]:
    protocol = parse_protocol(port.protocol)
    if listener.bind.startswith(_UNIX):
        yield listener.bind, RoutePlace(position, 0)
    elif protocol is Protocol.HTTP_PROXY:
        yield _FORWARD_PROXY, RoutePlace(position, 0)
    elif protocol.family in (ProtocolClass.HTTP, ProtocolClass.AUTO):
        yield str(port.number), RoutePlace(position, port.number)
        if protocol.family is ProtocolClass.AUTO:
            services = hosts.by_port.get(port.number, {})
            yield from ((f"{host}:{port.number}", RoutePlace(position, port.number, host)) for host in services)


def _sniffed(position: int, port: int, services: Mapping[str, HostPort]) -> Iterator[tuple[str, RoutePlace]]:
    for host, service in services.items():
        if service.family is ProtocolClass.AUTO:
            yield f"{host}:{port}", RoutePlace(position, port, host)
