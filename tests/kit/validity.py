"""What must hold of everything that is rendered, whatever was configured; Envoy rejects some of it, some it ignores.

`problems` says it all at once. It is cheap, so every test that renders can ask; a real Envoy (`envoy_validate`) judges
the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from tests.kit.envoy_types import unpack

__all__ = ["problems"]

_HCM = "envoy.filters.network.http_connection_manager"
_TLS_INSPECTOR = "envoy.filters.listener.tls_inspector"
_HTTP_INSPECTOR = "envoy.filters.listener.http_inspector"
_DIRECT_RESPONSE_LIMIT = 1024 * 1024


def problems(listeners: Iterable[Any] = (), routes: Iterable[Any] = (), clusters: Iterable[Any] = ()) -> list[str]:
    """Rules that are broken, as sentences; empty when all hold."""
    listeners, routes, clusters = list(listeners), list(routes), list(clusters)
    found = [*_repeated("listener", (item.name for item in listeners))]
    found += _repeated("address of listeners", (a for item in listeners for a in _addresses(item)))
    found += _repeated("route configuration", (item.name for item in routes))
    found += _repeated("cluster", (item.name for item in clusters))
    for listener in listeners:
        found += (f"listener {listener.name}: {text}" for text in _of_listener(listener))
    for route in routes:
        found += (f"route configuration {route.name}: {text}" for text in _of_routes(route))
    for cluster in clusters:
        found += (f"cluster {cluster.name}: {text}" for text in _of_cluster(cluster))
    return found


def _repeated(what: str, values: Iterable[object]) -> Iterator[str]:
    yield from (f"{what} {value} is there {count} times" for value, count in Counter(values).items() if count > 1)


def _addresses(listener: Any) -> Iterator[str]:
    for address in (listener.address, *(more.address for more in listener.additional_addresses)):
        socket = address.socket_address
        yield f"{socket.address}:{socket.port_value}" if address.HasField("socket_address") else address.pipe.path


# -- listeners ---------------------------------------------------------------------------------------------------------


def _of_listener(listener: Any) -> Iterator[str]:
    yield from _repeated("listener filter", (item.name for item in listener.listener_filters))
    if not listener.filter_chains and not listener.HasField("default_filter_chain"):
        yield "has no filter chain"
    matches = (chain.filter_chain_match.SerializeToString(deterministic=True).hex() for chain in listener.filter_chains)
    yield from _repeated("filter chain match", matches)
    if listener.default_filter_chain.HasField("filter_chain_match"):
        yield "the default chain has a match, which means nothing"
    yield from _of_transport(listener)
    yield from _of_inspectors(listener)
    for chain in (*listener.filter_chains, listener.default_filter_chain):
        yield from (f"chain {chain.name!r}: {text}" for text in _of_chain(chain))


def _of_transport(listener: Any) -> Iterator[str]:
    """Chains of one port that differ by transport protocol must all name it, else a connection may meet two."""
    if listener.name == "virtualInbound":
        for chain in listener.filter_chains:
            match = chain.filter_chain_match
            if not match.transport_protocol and chain.name != "virtualInbound-blackhole":
                yield f"chain {chain.name!r} must name a transport protocol"


def _of_inspectors(listener: Any) -> Iterator[str]:
    filters = {item.name for item in listener.listener_filters}
    for chain in listener.filter_chains:
        match = chain.filter_chain_match
        if (match.server_names or match.transport_protocol == "tls") and _TLS_INSPECTOR not in filters:
            yield f"chain {chain.name!r} matches TLS, but nothing inspects it"
        if match.application_protocols and not filters & {_TLS_INSPECTOR, _HTTP_INSPECTOR}:
            yield f"chain {chain.name!r} matches ALPN, but nothing finds it out"


def _of_chain(chain: Any) -> Iterator[str]:
    yield from _repeated("network filter", (item.name for item in chain.filters))
    managers = [unpack(item.typed_config) for item in chain.filters if item.name == _HCM]
    if managers and chain.filter_chain_match.transport_protocol == "tls" and not chain.HasField("transport_socket"):
        yield "speaks HTTP over TLS that it does not terminate"
    for manager in managers:
        names = [item.name for item in manager.http_filters]
        yield from _repeated("HTTP filter", names)
        if not names or names[-1] != "envoy.filters.http.router":
            yield "the last HTTP filter is no router"
        if manager.HasField("route_config"):
            yield from _of_routes(manager.route_config)


# -- routes and clusters -----------------------------------------------------------------------------------------------


def _of_routes(routes: Any) -> Iterator[str]:
    yield from _repeated("virtual host", (host.name for host in routes.virtual_hosts))
    yield from _repeated("domain", (domain.lower() for host in routes.virtual_hosts for domain in host.domains))
    if routes.max_direct_response_body_size_bytes.value != _DIRECT_RESPONSE_LIMIT:
        yield "max_direct_response_body_size_bytes is not 1 MiB"
    for host in routes.virtual_hosts:
        if not host.domains:
            yield f"virtual host {host.name} has no domain"
        for route in host.routes:
            if route.WhichOneof("action") is None:
                yield f"virtual host {host.name}: route {route.name!r} has no action"
            if route.match.WhichOneof("path_specifier") is None:
                yield f"virtual host {host.name}: route {route.name!r} matches no path"


def _of_cluster(cluster: Any) -> Iterator[str]:
    if cluster.HasField("transport_socket") and cluster.transport_socket_matches:
        yield "has both a transport socket and transport socket matches"
    if not cluster.HasField("connect_timeout"):
        yield "has no connect timeout"
    if cluster.type == 3 and not cluster.HasField("eds_cluster_config"):
        yield "is EDS without a configuration of it"
