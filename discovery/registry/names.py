"""Which host names and addresses an object speaks for: what the store indexes objects by."""

from __future__ import annotations

from discovery.registry.endpoints_from_kubernetes import slice_service
from discovery.registry.from_kubernetes import kubernetes_host
from discovery.schema.kubernetes import EndpointSlice, Pod
from discovery.schema.meta import Kind, Object
from discovery.schema.service_entry import ServiceEntry
from discovery.schema.workload_entry import WorkloadEntry

__all__ = ["addresses_of", "hosts_of"]


def hosts_of(obj: Object, domain: str) -> frozenset[str]:
    """The host names (lower case) that a Service or ServiceEntry declares; other kinds declare none."""
    if obj.key.kind is Kind.SERVICE:
        return frozenset((kubernetes_host(obj.name, obj.namespace, domain),))
    if isinstance(obj.spec, ServiceEntry):
        return frozenset(host.lower() for host in obj.spec.hosts)
    return frozenset()


def addresses_of(obj: Object) -> frozenset[str]:
    """The addresses at which the object puts an endpoint or a workload; host names count as written."""
    spec = obj.spec
    if isinstance(spec, EndpointSlice):
        if slice_service(obj) is None:
            return frozenset()
        return frozenset(address for endpoint in spec.endpoints for address in endpoint.addresses)
    if isinstance(spec, Pod):
        ips = (spec.status.pod_ip, *(ip.ip for ip in spec.status.pod_ips))
        return frozenset(ip for ip in ips if ip)
    if isinstance(spec, WorkloadEntry):
        return frozenset((spec.address,)) if spec.address else frozenset()
    if isinstance(spec, ServiceEntry):
        return frozenset(endpoint.address for endpoint in spec.endpoints if endpoint.address)
    return frozenset()
