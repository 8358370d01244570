"""The name table (NDS): what the DNS proxy of an agent answers by itself.

Facts are found service by service, so that only what changed is written anew. Endpoints are read only of services whose
names stand for their endpoints (headless ones), hence an endpoint of any other service changes nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Final, NamedTuple

from discovery.engine import Database, query
from discovery.mesh.endpoints import ServicePort, endpoints
from discovery.mesh.proxy import OutboundView, ScopeKey
from discovery.mesh.scope import scope_services
from discovery.mesh.services import service
from discovery.registry.endpoint import Endpoint, Health
from discovery.registry.service import Registry, Resolution, Service, ServiceRef
from discovery.translate.tables import Index, ResourceRef
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

    def entry(self, host: str) -> bytes:
        """An entry of ``NameTable.table``."""
        ips = b"".join(string_field(1, ip) for ip in self.ips)
        info = ips + string_field(2, self.registry) + string_field(3, self.short_name) + string_field(4, self.namespace)
        return bytes_field(1, string_field(1, host) + bytes_field(2, info))


def name_table_key(view: OutboundView) -> NameTableKey:
    """What of a proxy its name table depends on."""
    resolver = Resolver(view.network, view.ipv4, view.ipv6, auto_addresses=view.dns_auto_allocate)
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
        infos = [(found.ref.host, _own_info(found, _for_families(addresses, at.resolver)))]
    elif found.resolution is Resolution.PASSTHROUGH and found.ports:
        members = tuple(_reachable(db, found, at.resolver))
        ips = {ip for endpoint in members for ip in _ips(endpoint)}
        infos = [(found.ref.host, _own_info(found, ips)), *_pods(found, members)]
    else:
        return ()  # it has no address yet, or is another name for something: upstream knows
    return tuple((host, info.entry(host)) for host, info in infos if info.ips)


def _own_info(found: Service, ips: Iterable[str]) -> _Info:
    if found.registry is not Registry.KUBERNETES:
        return _Info(tuple(sorted(ips)), found.registry)
    return _Info(tuple(sorted(ips)), found.registry, found.name, found.ref.namespace)


def _for_families(addresses: Iterable[str], resolver: Resolver) -> list[str]:
    """Addresses of the families that the proxy has, all where it has none of them; ranges are no addresses."""
    versions = {address: version for address in addresses if (version := _version(address))}
    wanted = {4: resolver.ipv4, 6: resolver.ipv6}
    return [address for address, version in versions.items() if wanted[version]] or list(versions)


def _reachable(db: Database, found: Service, resolver: Resolver) -> Iterator[Endpoint]:
    """Endpoints that a client may dial itself."""
    for endpoint in endpoints(db, ServicePort(found.ref, found.ports[0].number)):
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
    domain = found.ref.host.partition(".")[2]
    for (hostname, subdomain), addresses in sorted(ips.items()):
        short = f"{hostname}.{subdomain}"
        yield f"{short}.{domain}".lower(), _Info(tuple(sorted(addresses)), found.registry, short, found.ref.namespace)


def _version(address: str) -> int:
    """4 or 6; 0: no IP address."""
    try:
        return ip_address(address).version
    except ValueError:
        return 0
