"""Where would this call go? Envoy's matching, over listeners and routes as rendered.

Tests that ask this survive refactoring: nothing fixes the shape of the configuration, only what a call meets in it.

    simulator = Simulator(world.listeners().values(), world.routes())
    assert simulator.call(Call(address="10.0.0.1", port=80, host="a")).cluster == "outbound|80||a"

Spec: https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener_components.proto
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec

from tests.kit.envoy_types import unpack

__all__ = ["Call", "Met", "Outcome", "Simulator", "downstream_tls"]

_HCM = "envoy.filters.network.http_connection_manager"
_TCP_PROXY = "envoy.filters.network.tcp_proxy"
_TLS_INSPECTOR = "envoy.filters.listener.tls_inspector"
_HTTP_INSPECTOR = "envoy.filters.listener.http_inspector"


class Outcome(StrEnum):
    """Why a call does not arrive."""

    NO_LISTENER = "no_listener"
    NO_FILTER_CHAIN = "no_filter_chain"
    MULTIPLE_FILTER_CHAINS = "multiple_filter_chains"
    TLS_ERROR = "tls_error"
    MTLS_ERROR = "mtls_error"
    PROTOCOL_ERROR = "protocol_error"
    NO_VIRTUAL_HOST = "no_virtual_host"
    TLS_REDIRECT = "tls_redirect"
    NO_ROUTE = "no_route"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A connection and its first request."""

    address: str = "1.3.3.7"
    port: int = 0
    protocol: str = "tcp"  # http, http2 or tcp
    tls: str = "plaintext"  # or tls, mtls
    alpn: str = ""
    sni: str = ""
    host: str = ""
    path: str = "/"
    mode: str = "outbound"  # or inbound, gateway
    mtls_secret_name: str = "default"

    @property
    def offered(self) -> str:
        """The ALPN that the client offers."""
        usual = {
            "mtls": {"http": "istio-http/1.1", "http2": "istio-h2", "tcp": "istio"},
            "tls": {"http": "http/1.1", "http2": "h2"},
        }
        return self.alpn or usual.get(self.tls, {}).get(self.protocol, "")

    @property
    def server_name(self) -> str:
        """The server name in the ClientHello."""
        return self.sni or (self.host if self.tls == "tls" else "")


class Met(msgspec.Struct, kw_only=True):
    """What a call met, by name, and where it ended."""

    error: str = ""
    listener: str = ""
    filter_chain: str = ""
    route_config: str = ""
    virtual_host: str = ""
    route: str = ""
    cluster: str = ""
    chain: Any = None  # the filter chain message


class Simulator:
    """Answers calls from one proxy's configuration."""

    def __init__(self, listeners: Iterable[Any], routes: Mapping[str, Any] | None = None) -> None:
        self.listeners = list(listeners)
        self.routes = routes or {}

    def call(self, call: Call) -> Met:
        """Send a call through listener, filter chain and routes."""
        met = Met()
        listener = self._listener(call)
        if listener is None:
            met.error = Outcome.NO_LISTENER
            return met
        met.listener = listener.name
        chains = _sieve(listener, call)
        if len(chains) > 1:
            met.error = Outcome.MULTIPLE_FILTER_CHAINS
        elif chains:
            self._enter(chains[0], call, met)
        elif listener.HasField("default_filter_chain"):
            self._enter(listener.default_filter_chain, call, met)
        else:
            met.error = Outcome.NO_FILTER_CHAIN
        return met

    def _listener(self, call: Call) -> Any:
        if call.mode == "inbound":
            return self._named("virtualInbound")
        for address in (call.address, "0.0.0.0"):
            for listener in self.listeners:
                if (address, call.port) in _addresses(listener):
                    return listener
        return self._named("virtualOutbound")

    def _named(self, name: str) -> Any:
        return next((listener for listener in self.listeners if listener.name == name), None)

    def _enter(self, chain: Any, call: Call, met: Met) -> None:
        met.filter_chain, met.chain = chain.name, chain
        secure = chain.HasField("transport_socket")
        if secure:
            certificate, required = downstream_tls(chain)
            if call.tls == "plaintext":
                met.error = Outcome.TLS_ERROR
                return
            if (required and certificate == call.mtls_secret_name) != (call.tls == "mtls"):
                met.error = Outcome.MTLS_ERROR
                return
        last = chain.filters[-1]
        if last.name == _TCP_PROXY:
            met.cluster = unpack(last.typed_config).cluster
        elif last.name == _HCM:
            if (call.tls != "plaintext" and not secure) or call.protocol == "tcp":
                met.error = Outcome.PROTOCOL_ERROR
                return
            self._route(unpack(last.typed_config), call, met)

    def _route(self, manager: Any, call: Call, met: Met) -> None:
        routes = manager.route_config if manager.HasField("route_config") else None
        if routes is None:
            routes = self.routes.get(manager.rds.route_config_name)
            met.route_config = manager.rds.route_config_name
        else:
            met.route_config = routes.name
        host = virtual_host(routes, call.host) if routes is not None else None
        if host is None:
            met.error = Outcome.NO_VIRTUAL_HOST
            return
        met.virtual_host = host.name
        if host.require_tls and call.tls == "plaintext":
            met.error = Outcome.TLS_REDIRECT
            return
        route = next((route for route in host.routes if _path_matches(route.match, call.path)), None)
        if route is None:
            met.error = Outcome.NO_ROUTE
            return
        met.route = route.name
        met.cluster = route.route.cluster


def _addresses(listener: Any) -> list[tuple[str, int]]:
    every = [listener.address, *(more.address for more in listener.additional_addresses)]
    return [(a.socket_address.address, a.socket_address.port_value) for a in every]


def downstream_tls(chain: Any) -> tuple[str, bool]:
    """The name of the first certificate of a chain's TLS context, and whether callers must show one."""
    context = unpack(chain.transport_socket.typed_config)
    names = [config.name for config in context.common_tls_context.tls_certificate_sds_secret_configs]
    return (names[0] if names else ""), context.require_client_certificate.value


# -- the filter chain --------------------------------------------------------------------------------------------------


def _disabled(predicate: Any, port: int) -> bool:
    match predicate.WhichOneof("rule"):
        case "destination_port_range":
            return bool(predicate.destination_port_range.start <= port < predicate.destination_port_range.end)
        case "not_match":
            return not _disabled(predicate.not_match, port)
        case "or_match":
            return any(_disabled(rule, port) for rule in predicate.or_match.rules)
        case "and_match":
            return all(_disabled(rule, port) for rule in predicate.and_match.rules)
        case "any_match":
            return True
    return False


def _active(listener: Any, name: str, port: int) -> bool:
    return any(f.name == name and not _disabled(f.filter_disabled, port) for f in listener.listener_filters)


def _sieve(listener: Any, call: Call) -> Sequence[Any]:
    """The chains left after each criterion in Envoy's order; more than one means that Envoy would reject them."""
    tls_seen = call.tls != "plaintext" and _active(listener, _TLS_INSPECTOR, call.port)
    alpn = call.offered if tls_seen else ""
    if call.tls == "plaintext" and _active(listener, _HTTP_INSPECTOR, call.port):
        alpn = {"http": "http/1.1", "http2": "h2c"}.get(call.protocol, "")
    name = call.server_name.lower() if tls_seen else ""
    transport = "tls" if tls_seen else "raw_buffer"
    criteria: list[tuple[Callable[[Any], Any], Callable[[Any], int]]] = [
        (lambda m: m.HasField("destination_port"), lambda m: int(m.destination_port.value == call.port)),
        (lambda m: m.prefix_ranges, lambda m: _longest_prefix(m.prefix_ranges, call.address)),
        (lambda m: m.server_names, lambda m: _server_name(m.server_names, name)),
        (lambda m: m.transport_protocol, lambda m: int(m.transport_protocol == transport)),
        (lambda m: m.application_protocols, lambda m: int(alpn in m.application_protocols)),
    ]
    chains = list(listener.filter_chains)
    for is_set, rank in criteria:
        ranked = [(rank(chain.filter_chain_match), chain) for chain in chains if is_set(chain.filter_chain_match)]
        best = max((score for score, _ in ranked), default=0)
        if best:
            chains = [chain for score, chain in ranked if score == best]
        else:
            chains = [chain for chain in chains if not is_set(chain.filter_chain_match)]
    return chains


def _longest_prefix(ranges: Iterable[Any], address: str) -> int:
    """1 + the length of the longest range that holds the address; 0 for none."""
    best = 0
    for item in ranges:
        network = ip_network(f"{item.address_prefix}/{item.prefix_len.value}", strict=False)
        if ip_address(address) in network:
            best = max(best, network.prefixlen + 1)
    return best


def _server_name(patterns: Iterable[str], name: str) -> int:
    """An exact name beats wildcards, of which the longest wins; 0 for no match."""
    best = 0
    for pattern in patterns:
        if pattern == name and name:
            best = 10_000
        elif pattern.startswith("*.") and name.endswith(pattern[1:]):
            best = max(best, len(pattern))
    return best


# -- the route ---------------------------------------------------------------------------------------------------------


def virtual_host(routes: Any, authority: str) -> Any:
    """The virtual host that Envoy picks: exact, longest suffix wildcard, longest prefix wildcard, any; or None."""
    host = authority.lower()
    if routes.ignore_port_in_host_matching:
        host = re.sub(r":\d+$", "", host)
    best: tuple[int, int] = (0, 0)
    chosen = None
    for candidate in routes.virtual_hosts:
        for domain in candidate.domains:
            rank = _domain_rank(domain.lower(), host)
            if rank > best:
                best, chosen = rank, candidate
    return chosen


def _domain_rank(domain: str, host: str) -> tuple[int, int]:
    if domain == host:
        return (4, 0)
    if domain == "*":
        return (1, 0)
    if domain.startswith("*") and host.endswith(domain[1:]) and len(host) >= len(domain):
        return (3, len(domain))
    if domain.endswith("*") and host.startswith(domain[:-1]) and len(host) >= len(domain):
        return (2, len(domain))
    return (0, 0)


def _path_matches(match: Any, path: str) -> bool:
    match match.WhichOneof("path_specifier"):
        case "prefix":
            return path.startswith(match.prefix)
        case "path":
            return path == str(match.path)
        case "safe_regex":
            return re.fullmatch(match.safe_regex.regex, path) is not None
        case "path_separated_prefix":
            prefix = match.path_separated_prefix
            return path == prefix or path.startswith(prefix + "/")
    return False
