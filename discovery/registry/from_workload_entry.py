"""WorkloadEntries, standing alone or inline in a ServiceEntry, as endpoints of the registry's model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from discovery.registry.endpoint import Endpoint
from discovery.registry.endpoints_from_kubernetes import topology
from discovery.registry.facts import MeshFacts, spiffe_id
from discovery.registry.locality import locality_of_pod
from discovery.registry.service import Port, Resolution, Service
from discovery.registry.target_ports import entry_port
from discovery.schema.addresses import is_address
from discovery.schema.meta import Object
from discovery.schema.service_entry import ServiceEntry
from discovery.schema.workload_entry import HEALTH_CHECKED, HEALTHY, WorkloadEntry
from discovery.wire.labels import NETWORK, TLS_MODE

__all__ = [
    "endpoints_from_workload_entry",
    "inline_endpoints",
    "is_healthy",
    "workload_entry_account",
    "workload_entry_labels",
]

_UNIX = "unix://"
_DNS = (Resolution.DNS_LB, Resolution.DNS_ROUND_ROBIN_LB)


def workload_entry_labels(obj: Object) -> Mapping[str, str]:
    """The labels that selectors look at: those of the object and, before them, those of its spec."""
    spec: WorkloadEntry = obj.spec
    return {**obj.meta.labels, **spec.labels}


def is_healthy(obj: Object) -> bool:
    """Whether an entry takes traffic: without health checks always, with them once its agent has said so."""
    if obj.meta.annotations.get(HEALTH_CHECKED, "").lower() != "true":
        return True
    return obj.conditions.get(HEALTHY, False)


def workload_entry_account(obj: Object, facts: MeshFacts) -> str:
    """The SPIFFE id of the workload; empty where the entry names no service account."""
    spec: WorkloadEntry = obj.spec
    return spiffe_id(facts.trust_domain, obj.namespace, spec.service_account)


class _Workload(NamedTuple):
    """What the endpoints of all ports of an entry share."""

    address: str
    unix: bool
    labels: Mapping[str, str]
    locality: str
    network: str
    tls_mode: str
    service_account: str
    name: str
    namespace: str


def endpoints_from_workload_entry(
    obj: Object, ports: Iterable[tuple[Port, int | str | None]], *, facts: MeshFacts, resolution: Resolution
) -> Iterator[Endpoint]:
    """The endpoints that a WorkloadEntry is for ports of a service that selects it; it may lack a named port.

    An unhealthy entry is none, not even an unhealthy one: where all are unhealthy, Envoy would use them all.
    Nor is one that Envoy cannot reach: for a single name among addresses it refuses the whole assignment.

    Args:
        obj: the entry.
        ports: with what the declaring object says of each (``target_ports.declared_target``).
        facts: of the local cluster.
        resolution: of the service.
    """
    spec: WorkloadEntry = obj.spec
    if not is_healthy(obj) or not _is_reachable(spec.address, resolution):
        return
    entry = msgspec.structs.replace(spec, labels=workload_entry_labels(obj))
    workload = _workload(entry, facts, namespace=obj.namespace, name=obj.name)
    for port, target in ports:
        endpoint = _endpoint(entry, workload, port, target, facts)
        if endpoint is not None:
            yield endpoint


def inline_endpoints(obj: Object, service: Service, *, facts: MeshFacts) -> tuple[Endpoint, ...]:
    """The endpoints that a ServiceEntry lists itself, for all ports of one of its services.

    A DNS service that lists none and selects none is its own endpoint: the host name, for Envoy to resolve.
    """
    spec: ServiceEntry = obj.spec
    entries = spec.endpoints
    if not entries and spec.workload_selector is None and service.resolution in _DNS:
        entries = (WorkloadEntry(address=service.ref.host),)
    workloads = [
        (entry, _workload(entry, facts, namespace=obj.namespace, name=""))
        for entry in entries
        if _is_reachable(entry.address, service.resolution)
    ]
    found = (
        _endpoint(entry, workload, port, port.target_port or None, facts)
        for port in service.ports
        for entry, workload in workloads
    )
    return tuple(endpoint for endpoint in found if endpoint is not None)


def _is_reachable(address: str, resolution: Resolution) -> bool:
    """Whether Envoy can be told of it. Names are for services that it resolves; gateways of networks are not known."""
    return bool(address) and (resolution in _DNS or address.startswith(_UNIX) or is_address(address))


def _workload(entry: WorkloadEntry, facts: MeshFacts, *, namespace: str, name: str) -> _Workload:
    unix = entry.address.startswith(_UNIX)
    network = entry.network or entry.labels.get(NETWORK, "") or facts.network
    locality = entry.locality or locality_of_pod(entry.labels, entry.labels)
    return _Workload(
        address=entry.address.removeprefix(_UNIX) if unix else entry.address,
        unix=unix,
        labels={**entry.labels, **topology(facts, locality=locality, network=network)},
        locality=locality,
        network=network,
        tls_mode=entry.labels.get(TLS_MODE) or ("istio" if entry.service_account else "disabled"),
        service_account=spiffe_id(facts.trust_domain, namespace, entry.service_account),
        name=name,
        namespace=namespace,
    )


def _endpoint(
    entry: WorkloadEntry, workload: _Workload, port: Port, target: int | str | None, facts: MeshFacts
) -> Endpoint | None:
    number = entry_port(entry, target, port)
    if not number and not workload.unix:
        return None
    return Endpoint(
        address=workload.address,
        port=number,
        service_port=port.name,
        labels=workload.labels,
        locality=workload.locality,
        network=workload.network,
        cluster_id=facts.cluster_id,
        weight=entry.weight or 1,
        tls_mode=workload.tls_mode,
        service_account=workload.service_account,
        workload=workload.name,
        namespace=workload.namespace,
    )
