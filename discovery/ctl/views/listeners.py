"""Listeners as a table: a row for each filter chain, with what it matches and where it sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from discovery.ctl.dump import Dump
from discovery.ctl.table import render_table
from discovery.ctl.views.match import describe_match

__all__ = ["chosen_listeners", "listener_type", "listeners_table"]

_HTTP: Final = "envoy.filters.network.http_connection_manager"
_TCP: Final = "envoy.filters.network.tcp_proxy"
_PROTOCOLS: Final = {
    ("http/1.0", "http/1.1", "h2c", "istio-http/1.0", "istio-http/1.1", "istio-h2"): "App: HTTP TLS",
    ("istio", "istio-http/1.0", "istio-http/1.1", "istio-h2"): "App: Istio HTTP Plain",
    ("istio-peer-exchange", "istio"): "App: TCP TLS",
    ("http/1.0", "http/1.1", "h2c"): "App: HTTP",
    ("http/1.1", "h2c"): "App: HTTP",
}


def _address(listener: dict[str, Any]) -> tuple[str, int]:
    address = listener.get("address", {})
    socket = address.get("socketAddress", {})
    return socket.get("address") or address.get("pipe", {}).get("path", ""), int(socket.get("portValue", 0))


def _addresses(listener: dict[str, Any]) -> str:
    more = (entry.get("address", {}).get("socketAddress", {}) for entry in listener.get("additionalAddresses", ()))
    return ",".join([_address(listener)[0], *(socket.get("address", "") for socket in more)])


def _chains(listener: dict[str, Any]) -> list[dict[str, Any]]:
    default = listener.get("defaultFilterChain")
    return [*listener.get("filterChains", ()), *([default] if default else ())]


def listener_type(listener: dict[str, Any]) -> str:
    """``HTTP``, ``TCP``, ``HTTP+TCP`` or ``UNKNOWN``; a chain that only drops does not count."""
    kinds = set()
    for network_filter in (f for chain in _chains(listener) for f in chain.get("filters", ())):
        if network_filter.get("name") == _HTTP:
            kinds.add("HTTP")
        elif network_filter.get("name") == _TCP and "BlackHoleCluster" not in str(network_filter.get("typedConfig")):
            kinds.add("TCP")
    return "+".join(sorted(kinds)) or "UNKNOWN"


def chosen_listeners(dump: Dump, *, address: str = "", port: int = 0, kind: str = "") -> list[dict[str, Any]]:
    """Listeners by address, port and type (``HTTP``), sorted by port."""
    found = [
        listener
        for listener in dump.listeners()
        if (not address or address.lower() == _address(listener)[0].lower())
        and port in (0, _address(listener)[1])
        and kind.upper() in ("", listener_type(listener))
    ]
    return sorted(found, key=lambda listener: (_address(listener)[1], _address(listener)[0], listener_type(listener)))


def listeners_table(listeners: list[dict[str, Any]], *, prefix: str = "") -> str:
    """One row for each filter chain; with a prefix (``listener/``) the name comes first."""
    rows = []
    for listener in listeners:
        place = (_addresses(listener), str(_address(listener)[1]))
        described = sorted(_described(listener), key=lambda pair: pair[1], reverse=True)
        for match, destination in described:
            row = (*place, match, destination)
            rows.append((prefix + listener.get("name", ""), *row) if prefix else row)
    header = ("ADDRESSES", "PORT", "MATCH", "DESTINATION")
    return render_table(("NAME", *header) if prefix else header, rows, gap=1)


def _described(listener: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for chain in _chains(listener):
        yield _match(chain.get("filterChainMatch", {})), _destination(chain.get("filters", ()))


def _match(match: dict[str, Any]) -> str:
    parts = []
    if match.get("serverNames"):
        parts.append(f"SNI: {','.join(match['serverNames'])}")
    if match.get("transportProtocol"):
        parts.append(f"Trans: {match['transportProtocol']}")
    protocols = tuple(match.get("applicationProtocols", ()))
    if protocols:
        parts.append(_PROTOCOLS.get(protocols, f"App: {','.join(protocols)}"))
    ranges = ",".join(f"{r.get('addressPrefix', '')}/{r.get('prefixLen', 0)}" for r in match.get("prefixRanges", ()))
    port = f":{match['destinationPort']}" if match.get("destinationPort") else ""
    if ranges or port:
        parts.append(f"Addr: {ranges or '*'}{port}")
    return "; ".join(parts) or "ALL"


def _destination(filters: Any) -> str:
    for network_filter in filters:
        config = network_filter.get("typedConfig", {})
        if network_filter.get("name") == _HTTP:
            return _http_destination(config)
        if network_filter.get("name") == _TCP and config.get("cluster") != "BlackHoleCluster":
            return _cluster(config.get("cluster", "")) if "cluster" in config else _weighted(config)
    return "Non-HTTP/Non-TCP"


def _cluster(name: str) -> str:
    return name if "Cluster" in name else f"Cluster: {name}"


def _weighted(config: dict[str, Any]) -> str:
    clusters = config.get("weightedClusters", {}).get("clusters", ())
    return "Clusters: " + ", ".join(f"{entry.get('name')} {entry.get('weight')}" for entry in clusters)


def _http_destination(config: dict[str, Any]) -> str:
    if "routeConfig" in config:
        return _inline(config["routeConfig"])
    name = config.get("rds", {}).get("routeConfigName")
    return f"Route: {name}" if name else "HTTP"


def _inline(route: dict[str, Any]) -> str:
    hosts = route.get("virtualHosts", ())
    if len(hosts) == 1 and hosts[0].get("domains") == ["*"] and len(hosts[0].get("routes", ())) == 1:
        only = hosts[0]["routes"][0]
        if only.get("match", {}).get("prefix") == "/" and only.get("route", {}).get("cluster"):
            return _cluster(only["route"]["cluster"])
    return "Inline Route: " + "; ".join(map(_host, hosts))


def _host(host: dict[str, Any]) -> str:
    routes = ", ".join(describe_match(route.get("match", {})) for route in host.get("routes", ()))
    domains = host.get("domains", ())
    return routes if list(domains) == ["*"] else f"{'/'.join(domains)} {routes}"
