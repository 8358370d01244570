"""Rules of VirtualService: hosts, and the routes of L4. Those of HTTP are in ``http_route``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from discovery.schema.proto_json import Problem
from discovery.schema.virtual_service import HTTPRouteDestination, RouteDestination, TCPRoute, TLSRoute, VirtualService
from discovery.validation.fields import check_export_to, check_host, error
from discovery.validation.http_route import check_destination, check_http_route, check_weights

__all__ = ["check_virtual_service"]

_MESH = "mesh"


def check_virtual_service(spec: VirtualService) -> Iterator[Problem]:
    """What is wrong with the routing."""
    yield from _hosts(spec)
    if not spec.http and not spec.tls and not spec.tcp:
        yield error("spec", "want routes under http, tls or tcp, got none")
    for i, http in enumerate(spec.http):
        yield from check_http_route(http, f"spec.http[{i}]", delegated=not spec.hosts)
    for i, tls in enumerate(spec.tls):
        yield from _tls(tls, f"spec.tls[{i}]")
    for i, tcp in enumerate(spec.tcp):
        yield from _tcp(tcp, f"spec.tcp[{i}]")
    yield from check_export_to(spec.export_to, "spec.exportTo")


def _hosts(spec: VirtualService) -> Iterator[Problem]:
    if not spec.hosts and (spec.gateways or spec.tls or spec.tcp):
        hint = "without hosts, it holds http routes to which others delegate"
        yield error("spec.hosts", "want at least one host, got none", hint)
    in_mesh = not spec.gateways or _MESH in spec.gateways
    for i, host in enumerate(spec.hosts):
        if host == "*" and in_mesh:
            yield error(f"spec.hosts[{i}]", "the wildcard '*' is only possible on a gateway", "name the hosts")
        else:
            yield from check_host(host, f"spec.hosts[{i}]")
    if len(set(spec.hosts)) < len(spec.hosts):
        yield error("spec.hosts", "the same host is there twice", "remove one of them")


def _tls(route: TLSRoute, at: str) -> Iterator[Problem]:
    if not route.match:
        yield error(f"{at}.match", "want at least one match with sniHosts, got none")
    for i, match in enumerate(route.match):
        if not match.sni_hosts:
            yield error(f"{at}.match[{i}].sniHosts", "want at least one server name, got none")
        for j, host in enumerate(match.sni_hosts):
            yield from check_host(host, f"{at}.match[{i}].sniHosts[{j}]")
    yield from _targets(route.route, at)


def _tcp(route: TCPRoute, at: str) -> Iterator[Problem]:
    yield from _targets(route.route, at)


def _targets(targets: Sequence[RouteDestination | HTTPRouteDestination], at: str) -> Iterator[Problem]:
    if not targets:
        yield error(f"{at}.route", "want at least one destination, got none")
    for i, target in enumerate(targets):
        yield from check_destination(target.destination, f"{at}.route[{i}].destination")
    yield from check_weights([target.weight for target in targets], f"{at}.route")
