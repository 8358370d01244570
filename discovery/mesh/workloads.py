"""What runs at an address: the workload's labels, and the service ports that it serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from discovery.engine import Database, query
from discovery.mesh.proxy import InboundTarget, Labels
from discovery.mesh.services import declared_services, service, services_of_kind
from discovery.registry.endpoints_from_kubernetes import slice_service
from discovery.registry.from_kubernetes import kubernetes_host
from discovery.registry.from_workload_entry import workload_entry_labels
from discovery.registry.service import Port, Service, ServiceRef
from discovery.registry.target_ports import container_port, declared_target, entry_port
from discovery.schema.kubernetes import Pod
from discovery.schema.meta import Kind, Object, ObjectKey
from discovery.schema.workload_entry import WorkloadEntry
from discovery.store.cells import ADDRESS, CLUSTER, OBJECT, InNamespace

__all__ = ["Workload", "targets_at", "workload_at"]


class Workload(NamedTuple):
    """A pod or workload entry as the registry knows it."""

    key: ObjectKey
    labels: Labels
    node_name: str = ""
    locality: str = ""  # region/zone/subzone where the object itself says so


class _Selector(NamedTuple):
    service: ServiceRef
    labels: frozenset[tuple[str, str]]


class _LabelPair(NamedTuple):
    namespace: str
    label: tuple[str, str]


@query
def workload_at(db: Database, address: str) -> Workload | None:
    """The pod, else the workload entry, at an address; the oldest name wins."""
    for kind in (Kind.POD, Kind.WORKLOAD_ENTRY):
        for key in sorted(ADDRESS(db, address)):
            obj = OBJECT(db, key) if key.kind is kind else None
            if obj is not None:
                return _workload(obj)
    return None


def _workload(obj: Object) -> Workload:
    if obj.key.kind is Kind.POD:
        pod: Pod = obj.spec
        return Workload(obj.key, _pairs(obj.meta.labels), node_name=pod.spec.node_name)
    entry: WorkloadEntry = obj.spec
    return Workload(obj.key, _pairs(workload_entry_labels(obj)), locality=entry.locality)


def _pairs(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


@query
def _selectors(db: Database, namespace: str) -> Mapping[tuple[str, str], tuple[_Selector, ...]]:
    """Services of a namespace that select workloads, by one of the labels that they ask for."""
    by_label: dict[tuple[str, str], list[_Selector]] = {}
    for kind in (Kind.SERVICE, Kind.SERVICE_ENTRY):
        for ref in services_of_kind(db, InNamespace(kind, namespace)):
            found = service(db, ref)
            if found is not None and found.selector:
                labels = frozenset(found.selector.items())
                by_label.setdefault(min(labels), []).append(_Selector(ref, labels))
    return {label: tuple(selectors) for label, selectors in by_label.items()}


@query
def _selectors_with(db: Database, at: _LabelPair) -> tuple[_Selector, ...]:
    return _selectors(db, at.namespace).get(at.label, ())


def _selecting(db: Database, namespace: str, labels: Labels) -> Iterator[Service]:
    have = frozenset(labels)
    for label in labels:
        for selector in _selectors_with(db, _LabelPair(namespace, label)):
            found = service(db, selector.service) if selector.labels <= have else None
            if found is not None:
                yield found


@query
def targets_at(db: Database, address: str) -> tuple[InboundTarget, ...]:
    """The service ports that the workload at an address serves, those of the oldest service first."""
    found: dict[tuple[ServiceRef, str], tuple[Service, InboundTarget]] = {}
    for key in sorted(ADDRESS(db, address)):
        for owner, port, target in _ports_of(db, key, address):
            found.setdefault((owner.ref, port.name), (owner, InboundTarget(owner.ref, port, target)))
    by_age = sorted(found.values(), key=lambda item: (item[0].created_at, item[0].ref, item[1].port.number))
    return tuple(target for _, target in by_age)


def _ports_of(db: Database, key: ObjectKey, address: str) -> Iterable[tuple[Service, Port, int]]:
    if key.kind is Kind.ENDPOINT_SLICE:
        return _ports_of_slice(db, key)
    if key.kind is Kind.SERVICE_ENTRY:
        return _ports_of_inline_endpoint(db, key, address)
    return _ports_of_workload(db, key)


class _SliceFacts(NamedTuple):
    service: str
    ports: tuple[tuple[str, int], ...]


@query
def _slice_facts(db: Database, key: ObjectKey) -> _SliceFacts | None:
    """What does not change when endpoints come and go."""
    obj = OBJECT(db, key)
    name = slice_service(obj) if obj is not None else None
    if obj is None or name is None:
        return None
    return _SliceFacts(name, tuple((port.name or "", port.port) for port in obj.spec.ports if port.port))


def _ports_of_slice(db: Database, key: ObjectKey) -> Iterator[tuple[Service, Port, int]]:
    facts = _slice_facts(db, key)
    if facts is None:
        return
    host = kubernetes_host(facts.service, key.namespace, CLUSTER(db, None).domain)
    found = service(db, ServiceRef(host, key.namespace))
    targets = dict(facts.ports)
    for port in found.ports if found is not None else ():
        if found is not None and port.name in targets:
            yield found, port, targets[port.name]


def _ports_of_inline_endpoint(db: Database, key: ObjectKey, address: str) -> Iterator[tuple[Service, Port, int]]:
    overrides = _inline_ports(db, (key, address))
    if overrides is None:
        return
    named = dict(overrides)
    for declared in declared_services(db, key):
        for port in declared.ports:
            yield declared, port, named.get(port.name) or port.target_port or port.number


@query
def _inline_ports(db: Database, at: tuple[ObjectKey, str]) -> tuple[tuple[str, int], ...] | None:
    """Port overrides of the inline endpoint at an address; None when the entry has none there."""
    obj = OBJECT(db, at[0])
    for endpoint in obj.spec.endpoints if obj is not None else ():
        if endpoint.address == at[1]:
            return tuple(sorted(endpoint.ports.items()))
    return None


def _ports_of_workload(db: Database, key: ObjectKey) -> Iterator[tuple[Service, Port, int]]:
    obj = OBJECT(db, key)
    if obj is None:
        return
    for found in _selecting(db, key.namespace, _workload(obj).labels):
        for port in found.ports:
            target = _target_port(db, found, port, obj)
            if target:
                yield found, port, target


def _target_port(db: Database, found: Service, port: Port, workload: Object) -> int:
    """The port on which a workload serves a service port; 0 where a named port is not there."""
    declaring = OBJECT(db, found.source)
    target = declared_target(declaring.spec if declaring is not None else None, port)
    if isinstance(workload.spec, WorkloadEntry):
        return entry_port(workload.spec, target, port)
    return container_port(workload.spec, target, port.number)
