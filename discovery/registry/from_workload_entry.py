"""WorkloadEntries, standing alone or inline in a ServiceEntry, as endpoints of the registry's model."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from discovery.registry.endpoint import Endpoint
from discovery.registry.endpoints_from_kubernetes import topology
from discovery.registry.facts import MeshFacts, spiffe_id
from discovery.registry.locality import locality_of_pod
from discovery.registry.service import Port, Resolution, Service
from discovery.registry.target_ports import entry_port
from discovery.schema.meta import Object
from discovery.schema.service_entry import ServiceEntry
from discovery.schema.workload_entry import WorkloadEntry
from discovery.wire.labels import NETWORK, TLS_MODE

__all__ = ["endpoint_from_workload_entry", "inline_endpoints", "workload_entry_labels"]

_UNIX = "unix://"
_DNS = (Resolution.DNS_LB, Resolution.DNS_ROUND_ROBIN_LB)


def workload_entry_labels(obj: Object) -> Mapping[str, str]:
    """The labels that selectors look at: those of the object and, before them, those of its spec."""
    spec: WorkloadEntry = obj.spec
    return {**obj.meta.labels, **spec.labels}


def endpoint_from_workload_entry(
    obj: Object, *, port: Port, target: int | str | None, facts: MeshFacts
) -> Endpoint | None:
    """The endpoint that a WorkloadEntry is for one port of a service that selects it; None if it lacks a named port.

    ``target``: what the declaring object says of the port (``target_ports.declared_target``).
    """
    spec: WorkloadEntry = obj.spec
    entry = msgspec.structs.replace(spec, labels=workload_entry_labels(obj))
    return _endpoint(entry, port, target, facts, namespace=obj.namespace, workload=obj.name)


def inline_endpoints(obj: Object, service: Service, *, facts: MeshFacts) -> tuple[Endpoint, ...]:
    """The endpoints that a ServiceEntry lists itself, for all ports of one of its services.

    A DNS service that lists none and selects none is its own endpoint: the host name, for Envoy to resolve.
    """
    spec: ServiceEntry = obj.spec
    entries = spec.endpoints
    if not entries and spec.workload_selector is None and service.resolution in _DNS:
        entries = (WorkloadEntry(address=service.ref.host),)
    found = (
        _endpoint(entry, port, port.target_port or None, facts, namespace=obj.namespace, workload="")
        for port in service.ports
        for entry in entries
    )
    return tuple(endpoint for endpoint in found if endpoint is not None)


def _endpoint(
    entry: WorkloadEntry, port: Port, target: int | str | None, facts: MeshFacts, *, namespace: str, workload: str
) -> Endpoint | None:
    number = entry_port(entry, target, port)
    unix = entry.address.startswith(_UNIX)
    if not number and not unix:
        return None
    network = entry.network or entry.labels.get(NETWORK, "") or facts.network
    locality = entry.locality or locality_of_pod(entry.labels, entry.labels)
    return Endpoint(
        address=entry.address.removeprefix(_UNIX) if unix else entry.address,
        port=number,
        service_port=port.name,
        labels={**entry.labels, **topology(facts, locality=locality, network=network)},
        locality=locality,
        network=network,
        cluster_id=facts.cluster_id,
        weight=entry.weight or 1,
        tls_mode=entry.labels.get(TLS_MODE) or ("istio" if entry.service_account else "disabled"),
        service_account=spiffe_id(facts.trust_domain, namespace, entry.service_account),
        workload=workload,
        namespace=namespace,
    )
