"""VirtualServices as the mesh reads them: names spelled out, delegates merged, and to whom each is exported.

The header of a VirtualService is what selection needs of it. It changes rarely, so an edit of a route stops there and
nothing is selected anew.

Spec: https://istio.io/latest/docs/reference/config/networking/virtual-service/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from discovery.engine import Database, query
from discovery.mesh.callers import Caller, Condition, conditions
from discovery.mesh.delegates import merge_delegate
from discovery.mesh.short_names import MESH_GATEWAY, Names, cluster_domain
from discovery.schema.meta import Kind, Object, ObjectKey
from discovery.schema.virtual_service import HTTPRoute, TCPRoute, TLSRoute, VirtualService
from discovery.store.cells import MESH, NAMES, NAMESPACES, OBJECT, InNamespace

__all__ = [
    "Audience",
    "ResolvedVirtualService",
    "VirtualServiceHeader",
    "audience",
    "exported_to",
    "virtual_service",
    "virtual_service_header",
    "virtual_services_for",
]

_PUBLIC: Final = "*"
_PRIVATE: Final = "."
_NOBODY: Final = "~"


class ResolvedVirtualService(msgspec.Struct, frozen=True, kw_only=True):
    """A VirtualService without anything left to look up but services."""

    key: ObjectKey
    namespace: str
    hosts: tuple[str, ...]  # fully qualified, lower case; empty for delegates
    gateways: tuple[str, ...]  # "mesh" or "namespace/name"; never empty
    http: tuple[HTTPRoute, ...] = ()  # delegates merged
    tls: tuple[TLSRoute, ...] = ()
    tcp: tuple[TCPRoute, ...] = ()
    sources: tuple[ObjectKey, ...] = ()  # itself and its delegates


class VirtualServiceHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What selection needs of a VirtualService."""

    key: ObjectKey
    namespace: str
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    export_to: tuple[str, ...]  # as written; empty: the mesh default
    created_at: datetime
    destinations: tuple[str, ...] = ()  # hosts that any route or mirror sends to, sorted
    has_http: bool = False
    conditions: tuple[Condition, ...] = ()  # of its HTTP routes; empty: some route is for every caller
    layer4_label_keys: frozenset[str] = frozenset()  # labels of the caller that its TLS and TCP routes ask for

    @property
    def age(self) -> tuple[datetime, str, str]:
        """Sort key: the oldest wins, then by name and namespace."""
        return self.created_at, self.key.name, self.namespace

    @property
    def source_label_keys(self) -> frozenset[str]:
        """Labels of the caller that its routes ask for."""
        return self.layer4_label_keys.union(key for asked in self.conditions for key, _ in asked.labels)

    def routes_for(self, caller: Caller) -> bool:
        """Whether any HTTP route is left for the caller."""
        return self.has_http and (not self.conditions or any(asked.met_by(caller) for asked in self.conditions))


@query
def virtual_service(db: Database, key: ObjectKey) -> ResolvedVirtualService | None:
    """The VirtualService with names spelled out and delegates merged; None when there is none."""
    obj = OBJECT(db, key)
    if obj is None:
        return None
    spec: VirtualService = obj.spec
    names = Names(obj.namespace, cluster_domain(db, None))
    sources = [key]
    http: list[HTTPRoute] = []
    for route in spec.http:
        resolved = names.http(route)
        if route.delegate is None or not spec.hosts:
            http.append(resolved)
            continue
        target = ObjectKey(Kind.VIRTUAL_SERVICE, route.delegate.namespace or obj.namespace, route.delegate.name)
        sources.append(target)
        http += merge_delegate(resolved, _delegate_routes(db, target, obj.namespace))
    return ResolvedVirtualService(
        key=key,
        namespace=obj.namespace,
        hosts=tuple(names.host(host) for host in spec.hosts),
        gateways=_gateways(spec, names),
        http=tuple(http),
        tls=tuple(names.tls(route) for route in spec.tls),
        tcp=tuple(names.tcp(route) for route in spec.tcp),
        sources=tuple(dict.fromkeys(sources)),
    )


def _gateways(spec: VirtualService, names: Names) -> tuple[str, ...]:
    return names.gateways(spec.gateways) or (MESH_GATEWAY,)


def _delegate_routes(db: Database, target: ObjectKey, root_namespace: str) -> tuple[HTTPRoute, ...]:
    """The routes of a delegate, if it is one and shows itself to the root's namespace. Delegation has one level."""
    obj = OBJECT(db, target)
    if obj is None or obj.spec.hosts:
        return ()
    targets = exported_to(obj.namespace, obj.spec.export_to or _default_export(db, None))
    if not {_PUBLIC, root_namespace} & targets:
        return ()
    names = Names(obj.namespace, cluster_domain(db, None))
    return tuple(names.http(route) for route in obj.spec.http if route.delegate is None)


@query
def virtual_service_header(db: Database, key: ObjectKey) -> VirtualServiceHeader | None:
    """The header of a VirtualService; None when there is none."""
    obj = OBJECT(db, key)
    resolved = virtual_service(db, key)
    if obj is None or resolved is None:
        return None
    return VirtualServiceHeader(
        key=key,
        namespace=obj.namespace,
        hosts=resolved.hosts,
        gateways=resolved.gateways,
        export_to=obj.spec.export_to,
        created_at=obj.meta.creation_timestamp,
        destinations=tuple(sorted(set(_destinations(resolved)))),
        has_http=bool(resolved.http),
        conditions=conditions(resolved.http),
        layer4_label_keys=_layer4_label_keys(resolved),
    )


def _layer4_label_keys(resolved: ResolvedVirtualService) -> frozenset[str]:
    tls = (match.source_labels for route in resolved.tls for match in route.match)
    tcp = (match.source_labels for route in resolved.tcp for match in route.match)
    return frozenset[str]().union(*tls, *tcp)


def _destinations(resolved: ResolvedVirtualService) -> Iterable[str]:
    for http in resolved.http:
        yield from (to.destination.host for to in http.route if to.destination is not None)
        yield from (to.destination.host for to in http.mirrors if to.destination is not None)
        if http.mirror is not None:
            yield http.mirror.host
    l4 = [route.route for route in resolved.tls] + [route.route for route in resolved.tcp]
    yield from (to.destination.host for targets in l4 for to in targets if to.destination is not None)


# -- to whom ---------------------------------------------------------------------------------------------------------


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """The VirtualServices of one gateway (or of all sidecars) by visibility; each list oldest first."""

    public: tuple[ObjectKey, ...]
    private: Mapping[str, tuple[ObjectKey, ...]]  # by namespace: its own, for itself alone
    exported: Mapping[str, tuple[ObjectKey, ...]]  # by namespace: of others, for it

    def for_namespace(self, namespace: str) -> tuple[ObjectKey, ...]:
        """What a namespace sees, in the order in which routes are claimed."""
        own, given = self.private.get(namespace, ()), self.exported.get(namespace, ())
        return (*own, *given, *self.public) if own or given else self.public


class _Listed(NamedTuple):
    """A VirtualService as the index of visibility sees it."""

    age: tuple[datetime, str, str]
    key: ObjectKey
    gateways: tuple[str, ...]
    export_to: tuple[str, ...]


@query
def _default_export(db: Database, _: None) -> tuple[str, ...]:
    return MESH(db, None).default_virtual_service_export_to or (_PUBLIC,)


@query
def _listed(db: Database, namespace: str) -> tuple[_Listed, ...]:
    """The VirtualServices of a namespace that are no delegates."""
    keys = (
        ObjectKey(Kind.VIRTUAL_SERVICE, namespace, name)
        for name in sorted(NAMES(db, InNamespace(Kind.VIRTUAL_SERVICE, namespace)))
    )
    return tuple(listed for key in keys if (listed := _listing(db, key)) is not None)


@query
def _listing(db: Database, key: ObjectKey) -> _Listed | None:
    """Of the object alone: nothing is resolved for VirtualServices that no scope uses."""
    obj: Object | None = OBJECT(db, key)
    if obj is None or not obj.spec.hosts:
        return None
    gateways = _gateways(obj.spec, Names(obj.namespace, ""))
    return _Listed((obj.meta.creation_timestamp, obj.name, obj.namespace), key, gateways, obj.spec.export_to)


@query
def audience(db: Database, gateway: str) -> Audience:
    """Who sees which VirtualServices of ``mesh`` or of a gateway ``namespace/name``."""
    default = _default_export(db, None)
    listed = [
        entry
        for namespace in sorted(NAMESPACES(db, Kind.VIRTUAL_SERVICE))
        for entry in _listed(db, namespace)
        if gateway in entry.gateways
    ]
    listed.sort()
    public: list[ObjectKey] = []
    private: dict[str, list[ObjectKey]] = {}
    exported: dict[str, list[ObjectKey]] = {}
    for entry in listed:
        own = entry.key.namespace
        targets = exported_to(own, entry.export_to or default)
        if _PUBLIC in targets:
            public.append(entry.key)
            continue
        for target in targets:
            (private if target == own else exported).setdefault(target, []).append(entry.key)
    return Audience(
        public=tuple(public),
        private={namespace: tuple(keys) for namespace, keys in private.items()},
        exported={namespace: tuple(keys) for namespace, keys in exported.items()},
    )


def exported_to(namespace: str, export_to: Iterable[str]) -> frozenset[str]:
    """Namespaces that may see an object of ``namespace``; ``*`` stands for all of them."""
    return frozenset(namespace if to == _PRIVATE else to for to in export_to if to != _NOBODY)


@query
def virtual_services_for(db: Database, namespace: str) -> tuple[ObjectKey, ...]:
    """What sidecars of a namespace may import: private, then exported to it, then public; oldest first within each."""
    return audience(db, MESH_GATEWAY).for_namespace(namespace)
