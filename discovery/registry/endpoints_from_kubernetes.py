"""EndpointSlices, Pods and Nodes as endpoints of the registry's model.

Other objects are asked for by key, so that a caller inside a query reads exactly those that matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from discovery.registry.endpoint import Endpoint, Health
from discovery.registry.facts import MeshFacts, spiffe_id
from discovery.registry.locality import locality_labels, locality_of_pod
from discovery.registry.service import Port
from discovery.registry.target_ports import container_port
from discovery.schema import kubernetes
from discovery.schema.meta import Kind, Object, ObjectKey
from discovery.wire.labels import CLUSTER, HOSTNAME, NETWORK, SERVICE_NAME, TLS_MODE

__all__ = [
    "MissingPod",
    "SliceEndpoints",
    "endpoint_from_pod",
    "endpoints_from_slice",
    "is_ready",
    "slice_service",
    "union",
    "workload_name",
]

_MULTI_CLUSTER_SERVICE_NAME = "multicluster.kubernetes.io/service-name"
_TEMPLATE_HASH = "pod-template-hash"

Lookup = Callable[[ObjectKey], Object | None]


class MissingPod(Enum):
    """What to do with an endpoint whose Pod is not known (yet)."""

    WITHHOLD = "withhold"  # its identity and labels matter and will come: a cluster
    SERVE = "serve"  # nobody writes Pods: a directory of Services and EndpointSlices


class SliceEndpoints(NamedTuple):
    """The endpoints of a slice, and the Pods that withheld ones wait for."""

    endpoints: tuple[Endpoint, ...]
    pending: tuple[ObjectKey, ...] = ()


class _Workload(NamedTuple):
    """What all endpoints at one Pod share."""

    labels: Mapping[str, str]
    locality: str
    network: str
    tls_mode: str
    service_account: str
    workload: str
    namespace: str
    node_name: str
    hostname: str
    subdomain: str


def slice_service(obj: Object) -> str | None:
    """The Service (same namespace) whose endpoints the slice lists; None for slices that are not for us."""
    spec: kubernetes.EndpointSlice = obj.spec
    if spec.address_type == "FQDN" or _MULTI_CLUSTER_SERVICE_NAME in obj.meta.labels:
        return None
    return obj.meta.labels.get(SERVICE_NAME)


def endpoints_from_slice(
    obj: Object, *, facts: MeshFacts, lookup: Lookup, missing: MissingPod = MissingPod.WITHHOLD, drains: bool = False
) -> SliceEndpoints:
    """The endpoints of a slice, port by port.

    ``lookup`` gives Pods and Nodes. ``drains``: the service keeps sessions on endpoints that are going away.
    """
    spec: kubernetes.EndpointSlice = obj.spec
    found: list[Endpoint] = []
    pending: list[ObjectKey] = []
    unknown: dict[tuple[str | None, str | None], _Workload] = {}  # one struct for all endpoints that are alike
    for written in spec.endpoints:
        health = _health(written.conditions, drains=drains)
        if health is None:
            continue
        target = written.target_ref
        pod_key = None
        if target is not None and target.kind == "Pod":
            pod_key = ObjectKey(Kind.POD, target.namespace or obj.namespace, target.name)
        pod = lookup(pod_key) if pod_key else None
        if pod_key and pod is None and missing is MissingPod.WITHHOLD:
            pending.append(pod_key)
            continue
        if pod:
            workload = _workload_of(pod, facts, lookup)
        else:
            alike = (written.node_name, written.hostname)
            if alike not in unknown:
                unknown[alike] = _unknown_workload(written, obj, facts, lookup)
            workload = unknown[alike]
        addresses = _addresses(pod, facts) or tuple((address,) for address in written.addresses)
        for port in spec.ports:
            if port.port is not None:
                name = port.name or ""
                found.extend(_endpoint(a, port.port, name, health, workload, facts) for a in addresses)
    return SliceEndpoints(tuple(found), tuple(pending))


def endpoint_from_pod(
    pod: Object, *, port: Port, target: int | str | None, facts: MeshFacts, lookup: Lookup
) -> Endpoint | None:
    """The endpoint at a Pod that a ServiceEntry selects; None while the Pod is not ready or lacks a named port."""
    spec: kubernetes.Pod = pod.spec
    number = container_port(spec, target, port.number)
    if not is_ready(spec) or not spec.status.pod_ip or not number:
        return None
    workload = _workload_of(pod, facts, lookup)
    (addresses,) = _addresses(pod, facts) or ((spec.status.pod_ip,),)
    return _endpoint(addresses, number, port.name, Health.HEALTHY, workload, facts)


def _addresses(pod: Object | None, facts: MeshFacts) -> tuple[tuple[str, ...], ...]:
    """The one endpoint that a Pod of two families is, where that is wanted. Slices of both families then agree."""
    if pod is None or not facts.dual_stack:
        return ()
    spec: kubernetes.Pod = pod.spec
    ips = tuple(entry.ip for entry in spec.status.pod_ips)
    return (ips,) if len(ips) > 1 else ()


def is_ready(pod: kubernetes.Pod) -> bool:
    """Whether a Pod may get traffic; without conditions (files) it may, unless it has ended."""
    if pod.status.phase in ("Failed", "Succeeded"):
        return False
    return next((c.status == "True" for c in pod.status.conditions if c.type == "Ready"), True)


def union(parts: Iterable[Iterable[Endpoint]]) -> tuple[Endpoint, ...]:
    """The endpoints of several slices of one service; the first to name an address and port wins."""
    found: dict[tuple[str, str], Endpoint] = {}
    for endpoint in _flat(parts):
        found.setdefault((endpoint.address, endpoint.service_port), endpoint)
    return tuple(found.values())


def _flat(parts: Iterable[Iterable[Endpoint]]) -> Iterator[Endpoint]:
    for part in parts:
        yield from part


def _health(conditions: kubernetes.EndpointConditions, *, drains: bool) -> Health | None:
    """None: not to be sent at all."""
    if conditions.ready is not False:
        return Health.HEALTHY
    if conditions.terminating:
        return Health.DRAINING if drains and conditions.serving else None
    return Health.UNHEALTHY


def _endpoint(
    addresses: tuple[str, ...], port: int, service_port: str, health: Health, workload: _Workload, facts: MeshFacts
) -> Endpoint:
    return Endpoint(
        address=addresses[0],
        additional_addresses=addresses[1:],
        port=port,
        service_port=service_port,
        labels=workload.labels,
        locality=workload.locality,
        network=workload.network,
        cluster_id=facts.cluster_id,
        health=health,
        tls_mode=workload.tls_mode,
        service_account=workload.service_account,
        workload=workload.workload,
        namespace=workload.namespace,
        node_name=workload.node_name,
        hostname=workload.hostname,
        subdomain=workload.subdomain,
    )


def _workload_of(pod: Object, facts: MeshFacts, lookup: Lookup) -> _Workload:
    spec = pod.spec.spec
    node = lookup(ObjectKey(Kind.NODE, "", spec.node_name)) if spec.node_name else None
    locality = locality_of_pod(pod.meta.labels, node.meta.labels if node else {})
    network = pod.meta.labels.get(NETWORK, "") or facts.network
    return _Workload(
        labels={**pod.meta.labels, **topology(facts, locality=locality, network=network, node_name=spec.node_name)},
        locality=locality,
        network=network,
        tls_mode=pod.meta.labels.get(TLS_MODE, ""),
        service_account=spiffe_id(facts.trust_domain, pod.namespace, spec.service_account_name),
        workload=workload_name(pod),
        namespace=pod.namespace,
        node_name=spec.node_name,
        hostname=(spec.hostname or pod.name) if spec.subdomain else "",
        subdomain=spec.subdomain,
    )


def _unknown_workload(written: kubernetes.Endpoint, obj: Object, facts: MeshFacts, lookup: Lookup) -> _Workload:
    """An endpoint without a Pod: only its node may say where it is."""
    node_name = written.node_name or ""
    node = lookup(ObjectKey(Kind.NODE, "", node_name)) if node_name else None
    locality = locality_of_pod({}, node.meta.labels if node else {})
    labels = topology(facts, locality=locality, network=facts.network, node_name=node_name)
    return _Workload(labels, locality, facts.network, "", "", "", obj.namespace, node_name, written.hostname or "", "")


def topology(facts: MeshFacts, *, locality: str, network: str, node_name: str = "") -> dict[str, str]:
    """The labels that say where an endpoint is; subsets and failover priorities may ask for them."""
    labels = locality_labels(locality)
    for label, value in ((CLUSTER, facts.cluster_id), (NETWORK, network), (HOSTNAME, node_name)):
        if value:
            labels[label] = value
    return labels


def workload_name(pod: Object) -> str:
    """The Deployment, StatefulSet, ... behind a Pod, by its owner; a Pod of its own is its own workload."""
    owner = next((o for o in pod.meta.owner_references if o.controller), None)
    if owner is None:
        return pod.name
    template_hash = pod.meta.labels.get(_TEMPLATE_HASH, "")
    if owner.kind == "ReplicaSet" and template_hash:
        return owner.name.removesuffix(f"-{template_hash}")
    return owner.name
