"""What a proxy may see: the services and virtual services of each of its egress listeners.

Without a Sidecar there is one listener without a port that imports everything exported to the proxy's namespace. A
Sidecar narrows that, by namespace and host name, which keeps configuration small.

Spec: https://istio.io/latest/docs/reference/config/networking/sidecar/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from discovery.engine import Database, query
from discovery.mesh.proxy import ScopeKey
from discovery.mesh.services import duplicated_hosts, service, visible_services
from discovery.mesh.virtual_services import virtual_service_header, virtual_services_for
from discovery.registry.host import host_matches
from discovery.registry.service import Registry, ServiceRef
from discovery.schema.meta import ObjectKey
from discovery.schema.sidecar import (
    CaptureMode,
    IstioEgressListener,
    IstioIngressListener,
    OutboundTrafficPolicyMode,
    Sidecar,
    SidecarPort,
)
from discovery.schema.virtual_service import Destination
from discovery.store.cells import MESH, OBJECT

__all__ = [
    "EgressListener",
    "InScope",
    "OutboundPolicy",
    "egress_listeners",
    "ingress_listeners",
    "outbound_policy",
    "scope_service",
    "scope_services",
    "sidecar_spec",
]


class EgressListener(msgspec.Struct, frozen=True, kw_only=True):
    """What one egress listener imports."""

    port: SidecarPort | None = None  # None: the catch-all, which takes each service at its own port
    bind: str = ""
    capture_mode: CaptureMode = CaptureMode.DEFAULT
    explicit: bool = False  # written in a Sidecar
    services: tuple[ServiceRef, ...] = ()  # oldest first
    virtual_services: tuple[ObjectKey, ...] = ()  # private, exported to us, public; oldest first within each


class InScope(NamedTuple):
    """A host name as one scope understands it."""

    scope: ScopeKey
    host: str


class OutboundPolicy(NamedTuple):
    """What happens to traffic for destinations that the mesh does not know."""

    mode: OutboundTrafficPolicyMode
    egress_proxy: Destination | None = None


@query
def sidecar_spec(db: Database, key: ObjectKey) -> Sidecar | None:
    """The Sidecar itself."""
    obj = OBJECT(db, key)
    return None if obj is None else obj.spec


def _sidecar(db: Database, scope: ScopeKey) -> Sidecar | None:
    return None if scope.sidecar is None else sidecar_spec(db, scope.sidecar)


@query
def _importable_services(db: Database, namespace: str) -> tuple[ServiceRef, ...]:
    """Visible services, one for each host name: of one's own namespace, else Kubernetes, else the oldest."""
    visible = visible_services(db, namespace)
    doubtful = duplicated_hosts(db, None)
    if not doubtful:
        return visible
    best: dict[str, ServiceRef] = {}
    for ref in visible:
        if ref.host in doubtful:
            held = best.get(ref.host)
            if held is None or _rank(db, ref, namespace) < _rank(db, held, namespace):
                best[ref.host] = ref
    return tuple(ref for ref in visible if best.get(ref.host, ref) == ref)


def _rank(db: Database, ref: ServiceRef, namespace: str) -> tuple[bool, bool]:
    found = service(db, ref)
    return ref.namespace != namespace, found is None or found.registry is not Registry.KUBERNETES


@query
def egress_listeners(db: Database, scope: ScopeKey) -> tuple[EgressListener, ...]:
    """The egress listeners of a scope, in order; the last may be the catch-all."""
    sidecar = _sidecar(db, scope)
    if sidecar is None or not sidecar.egress:
        return (
            EgressListener(
                services=_importable_services(db, scope.namespace),
                virtual_services=virtual_services_for(db, scope.namespace),
            ),
        )
    return tuple(_explicit(db, scope, listener) for listener in sidecar.egress)


def _explicit(db: Database, scope: ScopeKey, listener: IstioEgressListener) -> EgressListener:
    imports = _Imports.parse(listener.hosts, scope.namespace)
    virtual = tuple(key for key in virtual_services_for(db, scope.namespace) if imports.virtual_service(db, key))
    wanted = {host for key in virtual for host in _destinations(db, key)}
    services = []
    for ref in visible_services(db, scope.namespace):
        if not (imports.host(ref.namespace, ref.host) or ref.host in wanted):
            continue
        # A listener on a Unix socket has port 0: requests for every port of a service arrive there.
        if listener.port is None or not listener.port.number or _serves(db, ref, listener.port.number):
            services.append(ref)
    return EgressListener(
        port=listener.port,
        bind=listener.bind,
        capture_mode=listener.capture_mode,
        explicit=True,
        services=_one_per_host(db, services, scope.namespace),
        virtual_services=virtual,
    )


def _serves(db: Database, ref: ServiceRef, port: int) -> bool:
    found = service(db, ref)
    return found is not None and found.port(port) is not None


def _one_per_host(db: Database, refs: Iterable[ServiceRef], namespace: str) -> tuple[ServiceRef, ...]:
    best: dict[str, ServiceRef] = {}
    for ref in refs:
        held = best.get(ref.host)
        if held is None or _rank(db, ref, namespace) < _rank(db, held, namespace):
            best[ref.host] = ref
    return tuple(best.values())


def _destinations(db: Database, key: ObjectKey) -> Iterable[str]:
    """Hosts that a virtual service sends to: importing it imports them."""
    header = virtual_service_header(db, key)
    return () if header is None else header.destinations


class _Imports(NamedTuple):
    """``hosts`` of an egress listener: ``namespace/pattern``, where ``~`` before a namespace excludes."""

    patterns: tuple[tuple[str, str], ...]
    excluded: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, hosts: Iterable[str], own: str) -> _Imports:
        """Read the import list of a proxy in namespace ``own``."""
        wanted: list[tuple[str, str]] = []
        excluded: list[tuple[str, str]] = []
        for text in hosts:
            namespace, _, pattern = text.partition("/")
            if namespace == "~":
                continue  # imports nothing
            target = excluded if namespace.startswith("~") else wanted
            name = namespace.removeprefix("~")
            target.append((own if name == "." else name, pattern.lower()))
        return cls(tuple(wanted), tuple(excluded))

    def host(self, namespace: str, host: str) -> bool:
        """Whether a host declared in a namespace is imported."""
        if any(ns in ("*", namespace) and host_matches(pattern, host) for ns, pattern in self.excluded):
            return False
        return any(ns in ("*", namespace) and host_matches(pattern, host) for ns, pattern in self.patterns)

    def virtual_service(self, db: Database, key: ObjectKey) -> bool:
        """Whether a virtual service is imported: one of its hosts is, or its wildcard covers an imported one."""
        header = virtual_service_header(db, key)
        if header is None:
            return False
        return any(
            ns in ("*", header.namespace) and (host_matches(pattern, host) or host_matches(host, pattern))
            for ns, pattern in self.patterns
            for host in header.hosts
        )


@query
def scope_services(db: Database, scope: ScopeKey) -> tuple[ServiceRef, ...]:
    """All services that a scope imports, each host name once."""
    listeners = egress_listeners(db, scope)
    if len(listeners) == 1:
        return listeners[0].services
    return _one_per_host(db, (ref for listener in listeners for ref in listener.services), scope.namespace)


@query
def _hosts(db: Database, scope: ScopeKey) -> dict[str, ServiceRef]:
    return {ref.host: ref for ref in scope_services(db, scope)}


@query
def scope_service(db: Database, at: InScope) -> ServiceRef | None:
    """The service that a host name means in a scope."""
    return _hosts(db, at.scope).get(at.host)


@query
def ingress_listeners(db: Database, scope: ScopeKey) -> tuple[IstioIngressListener, ...]:
    """The ingress listeners that a Sidecar spells out; none: they follow from the services."""
    sidecar = _sidecar(db, scope)
    return () if sidecar is None else sidecar.ingress


@query
def _mesh_outbound_mode(db: Database, _: None) -> OutboundTrafficPolicyMode:
    return MESH(db, None).outbound_traffic_policy.mode


@query
def outbound_policy(db: Database, scope: ScopeKey) -> OutboundPolicy:
    """The Sidecar's outbound traffic policy, else the mesh's."""
    sidecar = _sidecar(db, scope)
    if sidecar is None or sidecar.outbound_traffic_policy is None:
        return OutboundPolicy(_mesh_outbound_mode(db, None))
    policy = sidecar.outbound_traffic_policy
    return OutboundPolicy(policy.mode, policy.egress_proxy)
