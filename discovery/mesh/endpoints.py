"""The endpoints behind each service port, from whatever declares them: slices, workload entries, pods, inline lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from discovery.engine import Database, query
from discovery.mesh.facts import mesh_facts
from discovery.mesh.selected import Selector, selected
from discovery.mesh.services import service
from discovery.mesh.settings import trust_domains
from discovery.registry.endpoint import Endpoint
from discovery.registry.endpoints_from_kubernetes import (
    MissingPod,
    endpoint_from_pod,
    endpoints_from_slice,
    slice_service,
    union,
)
from discovery.registry.from_workload_entry import (
    endpoints_from_workload_entry,
    inline_endpoints,
    workload_entry_account,
)
from discovery.registry.service import Registry, Service, ServiceRef
from discovery.registry.target_ports import declared_target
from discovery.schema.meta import Kind, ObjectKey
from discovery.store.cells import CLUSTER, HOST, NAMESPACES, OBJECT, SLICES, ServiceName
from discovery.wire.labels import PERSISTENT_SESSION

__all__ = ["ServicePort", "endpoints", "pending_pods", "service_accounts", "service_endpoints"]


class ServicePort(NamedTuple):
    """A port of a service by number."""

    service: ServiceRef
    port: int


@query
def _pods_are_written(db: Database, namespace: str) -> MissingPod:
    """Where somebody writes Pods, an endpoint waits for its own: its identity and labels matter."""
    if CLUSTER(db, None).has_pods:
        return MissingPod.WITHHOLD
    return MissingPod.WITHHOLD if namespace in NAMESPACES(db, Kind.POD) else MissingPod.SERVE


@query
def _slice(db: Database, key: ObjectKey) -> tuple[tuple[Endpoint, ...], tuple[ObjectKey, ...]]:
    obj = OBJECT(db, key)
    if obj is None:
        return (), ()
    return endpoints_from_slice(
        obj,
        facts=mesh_facts(db, None),
        lookup=lambda wanted: OBJECT(db, wanted),
        missing=_pods_are_written(db, key.namespace),
        drains=_keeps_sessions(db, ServiceName(key.namespace, slice_service(obj) or "")),
    )


@query
def _keeps_sessions(db: Database, at: ServiceName) -> bool:
    """Whether sessions stay at endpoints that are going away but still serve: they are sent as draining."""
    obj = OBJECT(db, ObjectKey(Kind.SERVICE, at.namespace, at.name))
    return obj is not None and bool(obj.meta.labels.get(PERSISTENT_SESSION))


def _from_entries(db: Database, found: Service) -> Iterator[Endpoint]:
    if not found.selector:
        return
    selector = tuple(sorted(found.selector.items()))
    declaring = OBJECT(db, found.source)
    facts = mesh_facts(db, None)
    ports = [(port, declared_target(declaring.spec, port)) for port in found.ports] if declaring is not None else []
    for key in selected(db, Selector(Kind.WORKLOAD_ENTRY, found.ref.namespace, selector)):
        obj = OBJECT(db, key)
        if obj is not None:
            yield from endpoints_from_workload_entry(obj, ports, facts=facts, resolution=found.resolution)
    if found.registry is Registry.KUBERNETES:
        return  # its pods are in its slices
    for key in selected(db, Selector(Kind.POD, found.ref.namespace, selector)):
        pod = OBJECT(db, key)
        for port in found.ports if pod is not None else ():
            endpoint = (
                endpoint_from_pod(
                    pod, port=port, target=port.target_port or None, facts=facts, lookup=lambda k: OBJECT(db, k)
                )
                if pod is not None
                else None
            )
            if endpoint is not None:
                yield endpoint


def _inline(db: Database, found: Service) -> Iterator[Endpoint]:
    """Endpoints listed by every ServiceEntry of the namespace that declares the host."""
    facts = mesh_facts(db, None)
    for key in sorted(HOST(db, found.ref.host)):
        obj = OBJECT(db, key) if key.kind is Kind.SERVICE_ENTRY and key.namespace == found.ref.namespace else None
        if obj is not None:
            yield from inline_endpoints(obj, found, facts=facts)


@query
def service_endpoints(db: Database, ref: ServiceRef) -> Mapping[str, tuple[Endpoint, ...]]:
    """All endpoints of a service, by the name of the service port."""
    found = service(db, ref)
    if found is None:
        return {}
    if found.registry is Registry.KUBERNETES:
        slices = sorted(SLICES(db, ServiceName(ref.namespace, found.name)))
        parts = [_slice(db, key)[0] for key in slices]
    else:
        parts = [tuple(_inline(db, found))]
    if found.selector:
        parts.append(tuple(_from_entries(db, found)))
    members = parts[0] if len(parts) == 1 else union(parts)
    if len(found.ports) == 1 and len(parts) == 1:
        return {found.ports[0].name: members} if _all_of(members, found.ports[0].name) else _by_port(members)
    return _by_port(members)


def _all_of(members: tuple[Endpoint, ...], port: str) -> bool:
    return all(endpoint.service_port == port for endpoint in members)


def _by_port(members: Iterable[Endpoint]) -> dict[str, tuple[Endpoint, ...]]:
    by_port: dict[str, list[Endpoint]] = {}
    for endpoint in members:
        by_port.setdefault(endpoint.service_port, []).append(endpoint)
    return {name: tuple(found) for name, found in by_port.items()}


def endpoints(db: Database, at: ServicePort) -> tuple[Endpoint, ...]:
    """The endpoints of one port of a service; no query: remembering it would cost more than looking it up."""
    found = service(db, at.service)
    port = found.port(at.port) if found is not None else None
    return () if port is None else service_endpoints(db, at.service).get(port.name, ())


@query
def pending_pods(db: Database, ref: ServiceRef) -> tuple[ObjectKey, ...]:
    """Pods that endpoints of a service wait for."""
    found = service(db, ref)
    if found is None or found.registry is not Registry.KUBERNETES:
        return ()
    slices = sorted(SLICES(db, ServiceName(ref.namespace, found.name)))
    return tuple(pod for key in slices for pod in _slice(db, key)[1])


@query
def _entry_accounts(db: Database, ref: ServiceRef) -> tuple[str, ...]:
    """The SPIFFE ids of all entries that a service selects.

    Also of unhealthy ones: a machine that comes and goes changes endpoints, never whom the cluster trusts.
    """
    found = service(db, ref)
    if found is None or not found.selector:
        return ()
    facts = mesh_facts(db, None)
    selector = Selector(Kind.WORKLOAD_ENTRY, ref.namespace, tuple(sorted(found.selector.items())))
    entries = (OBJECT(db, key) for key in selected(db, selector))
    return tuple(sorted({workload_entry_account(obj, facts) for obj in entries if obj is not None} - {""}))


@query
def service_accounts(db: Database, ref: ServiceRef) -> tuple[str, ...]:
    """The SPIFFE ids that workloads of a service may have, sorted: declared ones and those of its endpoints.

    Each is given for every trust domain that the mesh goes by.
    """
    found = service(db, ref)
    if found is None:
        return ()
    accounts = {*found.service_accounts, *_entry_accounts(db, ref)}
    for members in service_endpoints(db, ref).values():
        accounts.update(endpoint.service_account for endpoint in members if endpoint.service_account)
    own, *aliases = trust_domains(db, None)
    prefix = f"spiffe://{own}/"
    for alias in aliases:
        accounts.update(f"spiffe://{alias}/{a.removeprefix(prefix)}" for a in tuple(accounts) if a.startswith(prefix))
    return tuple(sorted(accounts))
