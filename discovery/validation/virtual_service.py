"""Rules of VirtualService: hosts, gateways and the routes of L4. Those of HTTP are in ``http_route``."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from discovery.schema.addresses import is_address
from discovery.schema.proto_json import Problem
from discovery.schema.virtual_service import HTTPRouteDestination, RouteDestination, TCPRoute, TLSRoute, VirtualService
from discovery.validation.fields import check_export_to, check_host, check_port, error, is_label, warning
from discovery.validation.http_match import CLAIM
from discovery.validation.http_route import check_destination, check_http_route, check_weights
from discovery.validation.reachability import Waste, shadowed

__all__ = ["check_virtual_service"]

_MESH = "mesh"


def check_virtual_service(spec: VirtualService) -> Iterator[Problem]:
    """What is wrong with the routing."""
    yield from _hosts(spec)
    yield from _gateways(spec)
    if not spec.http and not spec.tls and not spec.tcp:
        yield error("spec", "want routes under http, tls or tcp, got none")
    for i, http in enumerate(spec.http):
        yield from check_http_route(http, f"spec.http[{i}]", delegated=not spec.hosts)
    for i, tls in enumerate(spec.tls):
        yield from _tls(tls, f"spec.tls[{i}]", spec.hosts)
    for i, tcp in enumerate(spec.tcp):
        yield from _tcp(tcp, f"spec.tcp[{i}]")
    for never in shadowed(spec):
        what = "no request comes here" if never.waste is Waste.RULE else "has no effect"
        yield warning(never.at, f"{what}: {never.by} takes all that it matches", "put the narrower rule first")
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
    wildcards = [host for host in spec.hosts if host.startswith("*")]
    for i, host in enumerate(spec.hosts):
        wider = next((wildcard for wildcard in wildcards if wildcard != host and _within(host, wildcard)), None)
        if wider is not None:
            yield error(f"spec.hosts[{i}]", f"{wider!r} has {host!r} in it", "remove one of them")


def _within(host: str, wildcard: str) -> bool:
    """Whether all names of a host (perhaps a wildcard itself) are names of the wildcard."""
    return host == wildcard or (wildcard.startswith("*") and host.removeprefix("*").endswith(wildcard[1:]))


def _gateways(spec: VirtualService) -> Iterator[Problem]:
    for i, gateway in enumerate(spec.gateways):
        if gateway != _MESH:
            yield from _gateway(gateway, f"spec.gateways[{i}]")
    if any(gateway != _MESH for gateway in spec.gateways):
        return
    for i, route in enumerate(spec.http):
        for j, match in enumerate(route.match):
            claims = [name for name in (*match.headers, *match.without_headers) if name.startswith(CLAIM)]
            if claims:
                where = f"spec.http[{i}].match[{j}].headers"
                yield error(where, f"{claims[0]!r} can only be matched on a gateway", "name one in spec.gateways")


def _gateway(gateway: str, at: str) -> Iterator[Problem]:
    namespace, slash, name = gateway.partition("/")
    if slash:
        if not is_label(namespace) and namespace != ".":
            yield error(at, f"want namespace/name, got {gateway!r}")
        yield from check_host(name, at, wildcard=False)
        return
    if not all(map(is_label, gateway.split("."))):
        yield error(at, f"want namespace/name or name, got {gateway!r}")
    if "." in gateway:
        yield warning(at, f"{gateway!r} is an old way to name a gateway", "write namespace/name")


def _tls(route: TLSRoute, at: str, hosts: Sequence[str]) -> Iterator[Problem]:
    if not route.match:
        yield error(f"{at}.match", "want at least one match with sniHosts, got none")
    for i, match in enumerate(route.match):
        where = f"{at}.match[{i}]"
        if not match.sni_hosts:
            yield error(f"{where}.sniHosts", "want at least one server name, got none")
        for j, host in enumerate(match.sni_hosts):
            yield from _server_name(host, f"{where}.sniHosts[{j}]", hosts)
        yield from _layer4(match.port, match.destination_subnets, where)
    yield from _targets(route.route, at)


def _server_name(host: str, at: str, hosts: Sequence[str]) -> Iterator[Problem]:
    if is_address(host):
        yield warning(at, f"{host} is an address, and clients send names only", "match by destinationSubnets")
        return
    yield from check_host(host, at)
    if not any(_within(host, wanted) for wanted in hosts):
        yield error(at, f"{host!r} is none of the hosts of the object", "add it to spec.hosts")


def _tcp(route: TCPRoute, at: str) -> Iterator[Problem]:
    for i, match in enumerate(route.match):
        yield from _layer4(match.port, match.destination_subnets, f"{at}.match[{i}]")
    yield from _targets(route.route, at)


def _layer4(port: int, subnets: Sequence[str], at: str) -> Iterator[Problem]:
    if port:
        yield from check_port(port, f"{at}.port")
    for i, subnet in enumerate(subnets):
        try:
            ipaddress.ip_network(subnet, strict=False)
        except ValueError:
            yield error(f"{at}.destinationSubnets[{i}]", f"want an IP address or a CIDR range, got {subnet!r}")


def _targets(targets: Sequence[RouteDestination | HTTPRouteDestination], at: str) -> Iterator[Problem]:
    if not targets:
        yield error(f"{at}.route", "want at least one destination, got none")
    for i, target in enumerate(targets):
        yield from check_destination(target.destination, f"{at}.route[{i}].destination")
    yield from check_weights([target.weight for target in targets], f"{at}.route")
