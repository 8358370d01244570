"""ServiceEntries in the registry's model: one service per host."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_interface
from typing import Final

from discovery.registry.protocol import parse_protocol
from discovery.registry.service import Port, Registry, Resolution, Service, ServiceRef
from discovery.schema import service_entry
from discovery.schema.meta import Object
from discovery.schema.service_entry import Location, ServiceEntry

__all__ = ["services_from_service_entry"]

_TRAFFIC_DISTRIBUTION: Final = "networking.istio.io/traffic-distribution"
_RESOLUTIONS: Final[Mapping[service_entry.Resolution, Resolution]] = {
    service_entry.Resolution.NONE: Resolution.PASSTHROUGH,
    service_entry.Resolution.STATIC: Resolution.CLIENT_SIDE_LB,
    service_entry.Resolution.DNS: Resolution.DNS_LB,
    service_entry.Resolution.DNS_ROUND_ROBIN: Resolution.DNS_ROUND_ROBIN_LB,
    service_entry.Resolution.DYNAMIC_DNS: Resolution.DYNAMIC_DNS,
}


def services_from_service_entry(
    obj: Object, *, auto_addresses: Mapping[str, tuple[str, ...]] = {}
) -> tuple[Service, ...]:
    """The services that a ServiceEntry declares, without endpoints; a host that is written twice counts once.

    ``auto_addresses``: addresses allocated to hosts (lower case) for proxies that capture DNS.
    """
    spec: ServiceEntry = obj.spec
    ports = tuple(Port(p.name, p.number, parse_protocol(p.protocol), p.target_port) for p in spec.ports)
    addresses = tuple(dict.fromkeys(_canonical(address) for address in spec.addresses))
    return tuple(
        Service(
            ref=ServiceRef(host, obj.namespace),
            name=obj.name,
            registry=Registry.EXTERNAL,
            source=obj.key,
            ports=ports,
            resolution=_RESOLUTIONS[spec.resolution],
            created_at=obj.meta.creation_timestamp,
            addresses=addresses,
            auto_addresses=() if addresses else auto_addresses.get(host, ()),
            external=spec.location is Location.MESH_EXTERNAL,
            export_to=frozenset(spec.export_to),
            labels=obj.meta.labels,
            selector=spec.workload_selector.wanted if spec.workload_selector else {},
            service_accounts=spec.subject_alt_names,
            traffic_distribution=obj.meta.annotations.get(_TRAFFIC_DISTRIBUTION, ""),
        )
        for host in dict.fromkeys(host.lower() for host in spec.hosts)
    )


def _canonical(address: str) -> str:
    """One spelling for each: Envoy refuses all of a port's routes or chains where two are the same to it.

    A network of one address is that address; host bits of others do not count.
    """
    try:
        interface = ip_interface(address)
    except ValueError:
        return address  # a Unix socket, or told by validation
    return str(interface.ip) if interface.network.num_addresses == 1 else str(interface.network)
