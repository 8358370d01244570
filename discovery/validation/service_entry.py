"""Rules of ServiceEntry."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from discovery.schema.addresses import is_address
from discovery.schema.proto_json import Problem
from discovery.schema.service_entry import Location, Resolution, ServiceEntry
from discovery.validation.fields import (
    check_export_to,
    check_host,
    check_port,
    check_selector,
    error,
    is_label,
    warning,
)
from discovery.validation.protocols import HTTP_PROTOCOLS, TLS_PROTOCOLS, check_protocol
from discovery.validation.workload_entry import check_workload_entry

__all__ = ["check_service_entry"]

_NAMED = HTTP_PROTOCOLS | TLS_PROTOCOLS  # their requests say which host they are for


def check_service_entry(spec: ServiceEntry) -> Iterator[Problem]:
    """What is wrong with the service."""
    if not spec.hosts:
        yield error("spec.hosts", "want at least one host, got none")
    for i, host in enumerate(spec.hosts):
        yield from _host(host, f"spec.hosts[{i}]")
    yield from check_selector(spec.workload_selector, "spec.workloadSelector")
    if spec.endpoints and spec.workload_selector is not None:
        yield error("spec.endpoints", "endpoints do not go with workloadSelector", "remove one of them")
    yield from _ports(spec)
    yield from _addresses(spec)
    yield from _endpoints(spec)
    yield from _several_hosts(spec)
    yield from check_export_to(spec.export_to, "spec.exportTo", none_allowed=True)


def _host(host: str, at: str) -> Iterator[Problem]:
    if host == "*":
        yield error(at, "want a host, got the wildcard for all of them", "name the host or a domain: *.example.com")
    elif host.startswith("*") and not host.startswith("*."):
        yield warning(at, f"{host!r} is a wildcard for a part of a name", "write *.domain")
    else:
        yield from check_host(host, at)


def _ports(spec: ServiceEntry) -> Iterator[Problem]:
    names: set[str] = set()
    numbers: set[int] = set()
    for i, port in enumerate(spec.ports):
        at = f"spec.ports[{i}]"
        yield from check_port(port.number, f"{at}.number")
        if port.target_port:
            yield from check_port(port.target_port, f"{at}.targetPort")
        if port.protocol:
            yield from check_protocol(port.protocol, f"{at}.protocol")
        if not is_label(port.name):
            yield error(f"{at}.name", f"want a DNS label, got {port.name!r}")
        if port.name in names:
            yield error(f"{at}.name", f"another port has the name {port.name!r}", "give each its own")
        if port.number in numbers:
            yield error(f"{at}.number", f"port {port.number} is there twice", "remove one of them")
        names.add(port.name)
        numbers.add(port.number)


def _addresses(spec: ServiceEntry) -> Iterator[Problem]:
    for i, address in enumerate(spec.addresses):
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError:
            yield error(f"spec.addresses[{i}]", f"want an IP address or a CIDR range, got {address!r}")
            continue
        if "/" in address and spec.resolution not in (Resolution.NONE, Resolution.STATIC):
            want = "want an IP address: a range is only possible with resolution NONE or STATIC"
            yield error(f"spec.addresses[{i}]", f"{want}, got {address}")


def _endpoints(spec: ServiceEntry) -> Iterator[Problem]:
    names = {port.name for port in spec.ports}
    for i, endpoint in enumerate(spec.endpoints):
        at = f"spec.endpoints[{i}]"
        yield from check_workload_entry(endpoint, at)
        for name in endpoint.ports:
            if name not in names:
                yield error(f"{at}.ports", f"the service has no port of the name {name!r}", "add it to spec.ports")
        static = spec.resolution is Resolution.STATIC and endpoint.address
        if static and not endpoint.address.startswith("unix://") and not is_address(endpoint.address):
            want = "want an IP address or unix:///path with resolution STATIC"
            yield error(f"{at}.address", f"{want}, got {endpoint.address!r}", "use resolution DNS for names")
    yield from _resolution(spec)


def _resolution(spec: ServiceEntry) -> Iterator[Problem]:
    match spec.resolution:
        case Resolution.NONE:
            if spec.endpoints:
                yield error("spec.endpoints", "resolution NONE goes to the address that was dialled, not to endpoints")
        case Resolution.DNS | Resolution.DNS_ROUND_ROBIN:
            if not spec.endpoints and spec.workload_selector is None:
                for i, host in enumerate(spec.hosts):
                    if host.startswith("*"):
                        yield error(f"spec.hosts[{i}]", f"want a name that DNS can resolve, got {host!r}")
            if spec.resolution is Resolution.DNS_ROUND_ROBIN and len(spec.endpoints) > 1:
                yield error("spec.endpoints", f"want one with DNS_ROUND_ROBIN, got {len(spec.endpoints)}")
        case Resolution.DYNAMIC_DNS:
            yield from _dynamic(spec)
        case Resolution.STATIC:
            pass


def _several_hosts(spec: ServiceEntry) -> Iterator[Problem]:
    """Only HTTP and TLS tell which host is meant; elsewhere all hosts of a port are one."""
    if len(spec.hosts) < 2 or spec.resolution is Resolution.NONE:
        return
    for i, port in enumerate(spec.ports):
        protocol = port.protocol.upper()
        if protocol and protocol not in HTTP_PROTOCOLS | TLS_PROTOCOLS:
            hint = "write an object for each host"
            if spec.addresses:
                yield warning(f"spec.ports[{i}].protocol", f"{protocol} cannot tell the hosts apart", hint)
            else:
                yield error(f"spec.ports[{i}].protocol", f"{protocol} cannot tell the hosts apart", hint)


def _dynamic(spec: ServiceEntry) -> Iterator[Problem]:
    if not all(host.startswith("*") for host in spec.hosts):
        yield error("spec.hosts", "want wildcards only with resolution DYNAMIC_DNS", "use DNS for names")
    for i, port in enumerate(spec.ports):
        if port.protocol.upper() not in _NAMED:
            want = "want HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS or TLS with resolution DYNAMIC_DNS"
            yield error(f"spec.ports[{i}].protocol", f"{want}, got {port.protocol!r}")
    if spec.addresses:
        yield error("spec.addresses", "resolution DYNAMIC_DNS takes the address from the request")
    if spec.endpoints:
        yield error("spec.endpoints", "resolution DYNAMIC_DNS takes the endpoint from the request")
    if spec.location is Location.MESH_INTERNAL:
        yield warning("spec.location", "DYNAMIC_DNS is meant for services outside of the mesh")
