"""The name table (NDS): what the DNS proxy of an agent answers by itself.

Facts are found service by service, so that only what changed is written anew. Endpoints are read only of services whose
names stand for their endpoints (headless ones), hence an endpoint of any other service changes nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Final, NamedTuple

from discovery.engine import Database, query
from discovery.mesh.endpoints import service_endpoints
from discovery.mesh.proxy import OutboundView, ScopeKey
from discovery.mesh.scope import scope_services
from discovery.mesh.services import service
from discovery.registry.endpoint import Endpoint, Health
from discovery.registry.service import Port, Protocol, Registry, Resolution, Service, ServiceRef
from discovery.translate.tables import Index, ResourceRef
from discovery.wire.name_table import NamedPort, encode_ports
from discovery.wire.protowire import bytes_field, string_field
from discovery.wire.resource import Resource, content_version
from discovery.wire.type_urls import NAME_TABLE

__all__ = ["NameTableKey", "Resolver", "name_table", "name_table_index", "name_table_key"]

_NAME: Final = ""  # there is one table for each proxy, and it has no name


class Resolver(NamedTuple):
    """Who asks, as far as the addresses of a service depend on it."""

    network: str
    ipv4: bool
    ipv6: bool
    auto_addresses: bool  # captures DNS, so that addresses made for hosts reach it
    ports: bool = False  # answers SRV, if it is told the ports


class NameTableKey(NamedTuple):
    """What a name table depends on."""

    scope: ScopeKey
    resolver: Resolver


class _NamesOf(NamedTuple):
    service: ServiceRef
    resolver: Resolver


class _Info(NamedTuple):
    """``istio.networking.nds.v1.NameTable.NameInfo``; the agent makes short names of the last two."""

    ips: tuple[str, ...]
    registry: Registry
    short_name: str = ""
    namespace: str = ""
    ports: tuple[NamedPort, ...] = ()

    def entry(self, host: str) -> bytes:
        """An entry of ``NameTable.table``."""
        ips = b"".join(string_field(1, ip) for ip in self.ips)
        info = ips + string_field(2, self.registry) + string_field(3, self.short_name) + string_field(4, self.namespace)
        return bytes_field(1, string_field(1, host) + bytes_field(2, info + encode_ports(self.ports)))


def name_table_key(view: OutboundView) -> NameTableKey:
    """What of a proxy its name table depends on."""
    resolver = Resolver(view.network, view.ipv4, view.ipv6, auto_addresses=view.dns_auto_allocate, ports=view.dns_srv)
    return NameTableKey(view.scope, resolver)


@query
def name_table_index(db: Database, key: NameTableKey) -> Index:
    """The one resource without a name."""
    del db
    return {_NAME: ResourceRef(name_table, key)}


@query
def name_table(db: Database, key: NameTableKey) -> Resource:
    """All names of the services that a scope imports; also when there are none, for the agent waits for its table."""
    entries: dict[str, bytes] = {}
    for ref in scope_services(db, key.scope):
        for host, entry in _service_names(db, _NamesOf(ref, key.resolver)):
            entries.setdefault(host, entry)
    value = b"".join(entries[host] for host in sorted(entries))
    return Resource(_NAME, content_version(value), NAME_TABLE, value)


@query
def _service_names(db: Database, at: _NamesOf) -> tuple[tuple[str, bytes], ...]:
    """The names that a service stands behind, encoded: its own, and those of its pods if it has no address."""
    found = service(db, at.service)
    if found is None:
        return ()
    addresses = found.addresses or (found.auto_addresses if at.resolver.auto_addresses else ())
    if addresses:
        ports = _own_ports(found) if at.resolver.ports else ()
        infos = [(found.ref.host, _own_info(found, _for_families(addresses, at.resolver), ports))]
    elif found.resolution is Resolution.PASSTHROUGH and found.ports:
        members = tuple(_reachable(db, found, found.ports[0], at.resolver))
        ips = {ip for endpoint in members for ip in _ips(endpoint)}
        ports = tuple(_members_ports(db, found, at.resolver)) if at.resolver.ports else ()
        infos = [(found.ref.host, _own_info(found, ips, ports)), *_pods(found, members)]
    else:
        return ()  # it has no address yet, or is another name for something: upstream knows
    return tuple((host, info.entry(host)) for host, info in infos if info.ips)


def _own_info(found: Service, ips: Iterable[str], ports: tuple[NamedPort, ...]) -> _Info:
    if found.registry is not Registry.KUBERNETES:
        return _Info(tuple(sorted(ips)), found.registry, ports=ports)
    return _Info(tuple(sorted(ips)), found.registry, found.name, found.ref.namespace, ports)


def _own_ports(found: Service) -> tuple[NamedPort, ...]:
    """Ports at the service's own address."""
    return tuple(
        NamedPort(port.name.lower(), port.number, _is_udp(port)) for port in found.ports if port.name and port.number
    )


def _members_ports(db: Database, found: Service, resolver: Resolver) -> Iterator[NamedPort]:
    """Ports at the endpoints themselves, which need not be those of the service, and the pods that serve each.

    Spec: https://github.com/kubernetes/dns/blob/master/docs/specification.md, 2.4.2
    """
    for port in found.ports:
        served: dict[int, set[str]] = {}
        for endpoint in _reachable(db, found, port, resolver) if port.name else ():
            served.setdefault(endpoint.port, set()).add(_pod_host(found, endpoint))
        for number in sorted(served.keys() - {0}):
            pods = tuple(sorted(served[number] - {""}))
            if pods:
                yield NamedPort(port.name.lower(), number, _is_udp(port), pods)
            if "" in served[number]:
                yield NamedPort(port.name.lower(), number, _is_udp(port))


def _is_udp(port: Port) -> bool:
    return port.protocol is Protocol.UDP


def _for_families(addresses: Iterable[str], resolver: Resolver) -> list[str]:
    """Addresses of the families that the proxy has, all where it has none of them; ranges are no addresses."""
    versions = {address: version for address in addresses if (version := _version(address))}
    wanted = {4: resolver.ipv4, 6: resolver.ipv6}
    return [address for address, version in versions.items() if wanted[version]] or list(versions)


def _reachable(db: Database, found: Service, port: Port, resolver: Resolver) -> Iterator[Endpoint]:
    """Endpoints of a port that a client may dial itself."""
    for endpoint in service_endpoints(db, found.ref).get(port.name, ()):
        if resolver.network and endpoint.network and resolver.network != endpoint.network:
            continue  # only a gateway leads there
        if endpoint.health is not Health.HEALTHY and not found.publish_not_ready:
            continue
        if _version(endpoint.address):
            yield endpoint


def _ips(endpoint: Endpoint) -> tuple[str, ...]:
    return (endpoint.address, *endpoint.additional_addresses)


def _pods(found: Service, members: Iterable[Endpoint]) -> Iterator[tuple[str, _Info]]:
    """Pods with a name of their own, as those of a StatefulSet.

    Spec: https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-hostname-and-subdomain-field
    """
    ips: dict[tuple[str, str], list[str]] = {}
    for endpoint in members:
        if endpoint.subdomain and endpoint.hostname:
            ips.setdefault((endpoint.hostname, endpoint.subdomain), []).extend(_ips(endpoint))
    for (hostname, subdomain), addresses in sorted(ips.items()):
        short = f"{hostname}.{subdomain}"
        info = _Info(tuple(sorted(addresses)), found.registry, short, found.ref.namespace)
        yield _host_below(found, short), info


def _pod_host(found: Service, endpoint: Endpoint) -> str:
    """The pod's own name; empty if it has none."""
    if not endpoint.subdomain or not endpoint.hostname:
        return ""
    return _host_below(found, f"{endpoint.hostname}.{endpoint.subdomain}")


def _host_below(found: Service, short: str) -> str:
    domain = found.ref.host.partition(".")[2]
    return f"{short}.{domain}".lower()


def _version(address: str) -> int:
    """4 or 6; 0: no IP address."""
    try:
        return ip_address(address).version
    except ValueError:
        return 0
