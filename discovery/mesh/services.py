"""Which services there are, whatever declared them, and to whom each is exported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from discovery.engine import Database, query
from discovery.mesh.auto_addresses import auto_addresses
from discovery.mesh.facts import mesh_facts
from discovery.registry.from_kubernetes import service_from_kubernetes
from discovery.registry.from_service_entry import services_from_service_entry
from discovery.registry.service import Registry, Service, ServiceRef
from discovery.schema.meta import Kind, ObjectKey
from discovery.store.cells import HOST, MESH, NAMES, NAMESPACES, OBJECT, InNamespace

__all__ = ["all_services", "declared_services", "duplicated_hosts", "service", "services_of_kind", "visible_services"]

_EVERYWHERE = "*"
_OWN = "."
_NOWHERE = "~"


@query
def _namespace_annotations(db: Database, namespace: str) -> Mapping[str, str]:
    obj = OBJECT(db, ObjectKey(Kind.NAMESPACE, "", namespace))
    return {} if obj is None else obj.meta.annotations


@query
def declared_services(db: Database, key: ObjectKey) -> tuple[Service, ...]:
    """The services that one Service or ServiceEntry declares, without endpoints."""
    obj = OBJECT(db, key)
    if obj is None:
        return ()
    if key.kind is Kind.SERVICE:
        facts = mesh_facts(db, None)
        return (
            service_from_kubernetes(
                obj,
                domain=facts.domain,
                trust_domain=facts.trust_domain,
                namespace_annotations=_namespace_annotations(db, key.namespace),
            ),
        )
    return services_from_service_entry(obj, auto_addresses=auto_addresses(db, key))


@query
def service(db: Database, ref: ServiceRef) -> Service | None:
    """The service of a host name in a namespace; a Kubernetes Service hides ServiceEntries of the same name.

    ServiceEntries of one namespace that name the same host act as one with the ports of all; the oldest wins a port.
    """
    found = [
        candidate
        for key in sorted(HOST(db, ref.host))
        if key.namespace == ref.namespace
        for candidate in declared_services(db, key)
        if candidate.ref == ref
    ]
    if len(found) < 2:
        return found[0] if found else None
    found.sort(key=lambda s: (s.registry is not Registry.KUBERNETES, s.created_at, s.name))
    first = found[0]
    if first.registry is Registry.KUBERNETES:
        return first
    return _merge_entries(first, found[1:])


def _merge_entries(first: Service, others: list[Service]) -> Service:
    ports = {port.number: port for port in first.ports}
    for other in others:
        if (other.resolution, other.external, other.export_to) == (first.resolution, first.external, first.export_to):
            for port in other.ports:
                ports.setdefault(port.number, port)
    return msgspec.structs.replace(first, ports=tuple(ports.values()))


@query
def services_of_kind(db: Database, at: InNamespace) -> tuple[ServiceRef, ...]:
    """Services declared by objects of one kind in one namespace, in no particular order."""
    names = sorted(NAMES(db, at))
    keys = (ObjectKey(at.kind, at.namespace, name) for name in names)
    return tuple(dict.fromkeys(s.ref for key in keys for s in declared_services(db, key)))


class _Facet(NamedTuple):
    """What ordering and visibility need of a service; changes rarely, so changes elsewhere in it stop here."""

    ref: ServiceRef
    age: tuple[object, str, str]
    export_to: frozenset[str]


@query
def _facet(db: Database, ref: ServiceRef) -> _Facet | None:
    found = service(db, ref)
    if found is None:
        return None
    return _Facet(ref, (found.created_at, found.name, ref.namespace), found.export_to)


@query
def _facets(db: Database, _: None) -> tuple[_Facet, ...]:
    refs: dict[ServiceRef, None] = {}
    for kind in (Kind.SERVICE, Kind.SERVICE_ENTRY):
        for namespace in sorted(NAMESPACES(db, kind)):
            refs.update(dict.fromkeys(services_of_kind(db, InNamespace(kind, namespace))))
    facets = [facet for ref in refs if (facet := _facet(db, ref)) is not None]
    facets.sort(key=lambda facet: (facet.age, facet.ref))
    return tuple(facets)


@query
def all_services(db: Database, _: None) -> tuple[ServiceRef, ...]:
    """Every service, oldest first, then by name and namespace: the order in which conflicts are settled."""
    return tuple(facet.ref for facet in _facets(db, None))


@query
def duplicated_hosts(db: Database, _: None) -> frozenset[str]:
    """Host names that more than one namespace declares."""
    seen: set[str] = set()
    twice: set[str] = set()
    for ref in all_services(db, None):
        (twice if ref.host in seen else seen).add(ref.host)
    return frozenset(twice)


@query
def _default_export(db: Database, _: None) -> frozenset[str]:
    return frozenset(MESH(db, None).default_service_export_to or (_EVERYWHERE,))


@query
def _limited_exports(db: Database, _: None) -> Mapping[ServiceRef, frozenset[str]]:
    """Namespaces that may see a service, for the services that not everybody may see."""
    default = _default_export(db, None)
    limited: dict[ServiceRef, frozenset[str]] = {}
    for facet in _facets(db, None):
        targets = facet.export_to or default
        if _EVERYWHERE not in targets:
            limited[facet.ref] = frozenset(
                facet.ref.namespace if to == _OWN else to for to in targets if to != _NOWHERE
            )
    return limited


@query
def visible_services(db: Database, namespace: str) -> tuple[ServiceRef, ...]:
    """Services exported to a namespace, oldest first; several namespaces may declare one host."""
    limited = _limited_exports(db, None)
    everything = all_services(db, None)
    if not limited:
        return everything
    return tuple(ref for ref in everything if ref not in limited or namespace in limited[ref])
