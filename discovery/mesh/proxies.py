"""From what a proxy says of itself to what its configuration depends on.

The registry's word beats the proxy's where both speak: labels of the pod at the proxy's address over announced ones.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

from discovery.engine import Database, query
from discovery.mesh.destination_rules import rule_label_keys
from discovery.mesh.peer_authentication import policy_label_keys, root_namespace
from discovery.mesh.proxy import InboundTarget, InboundView, Labels, OutboundView, ProxyKey, ProxyView, ScopeKey
from discovery.mesh.scope import egress_listeners, ingress_listeners, scope_services
from discovery.mesh.services import service
from discovery.mesh.telemetry import telemetry_label_keys
from discovery.mesh.virtual_services import virtual_service_header
from discovery.mesh.workloads import targets_at, workload_at
from discovery.schema.meta import Kind, ObjectKey, age_order
from discovery.schema.sidecar import Sidecar
from discovery.store.cells import NAMES, OBJECT, InNamespace
from discovery.wire.labels import LOCALITY, LOCALITY_LEGACY, REGION, SUBZONE, ZONE
from discovery.wire.node import NodeType

__all__ = ["proxy_view", "route_label_keys", "sidecar_for"]


class _Selectable(NamedTuple):
    key: ObjectKey
    selector: Labels


@query
def _sidecars(db: Database, namespace: str) -> tuple[_Selectable, ...]:
    """Sidecars of a namespace in the order in which they are tried: those with a selector first, then by age."""
    keys = (ObjectKey(Kind.SIDECAR, namespace, name) for name in NAMES(db, InNamespace(Kind.SIDECAR, namespace)))
    objects = sorted((obj for key in keys if (obj := OBJECT(db, key)) is not None), key=age_order)
    found = []
    for obj in objects:
        spec: Sidecar = obj.spec
        wanted = spec.workload_selector.wanted if spec.workload_selector is not None else {}
        found.append(_Selectable(obj.key, tuple(sorted(wanted.items()))))
    return tuple(sorted(found, key=lambda sidecar: not sidecar.selector))


def sidecar_for(db: Database, namespace: str, labels: Labels) -> ObjectKey | None:
    """The Sidecar in force: the first of the namespace that selects the workload, else the root namespace's own."""
    have = set(labels)
    for sidecar in _sidecars(db, namespace):
        if have.issuperset(sidecar.selector):
            return sidecar.key
    return next((s.key for s in _sidecars(db, root_namespace(db, None)) if not s.selector), None)


@query
def route_label_keys(db: Database, scope: ScopeKey) -> frozenset[str]:
    """Labels of the caller that virtual services of a scope ask for."""
    headers = (
        virtual_service_header(db, key) for listener in egress_listeners(db, scope) for key in listener.virtual_services
    )
    return frozenset(label for header in headers if header is not None for label in header.source_label_keys)


@query
def _has_node_local(db: Database, scope: ScopeKey) -> bool:
    """Whether a service of the scope is for clients on the same Node only (``internalTrafficPolicy: Local``)."""
    found = (service(db, ref) for ref in scope_services(db, scope))
    return any(each is not None and each.node_local for each in found)


@query
def proxy_view(db: Database, proxy: ProxyKey) -> ProxyView:
    """What selection makes of a proxy; equal views are served equal bytes."""
    workload = next((w for ip in proxy.ips if (w := workload_at(db, ip)) is not None), None)
    labels = (
        proxy.labels if workload is None else tuple(sorted({**dict(proxy.labels), **dict(workload.labels)}.items()))
    )
    is_sidecar = proxy.type is NodeType.SIDECAR
    sidecar = sidecar_for(db, proxy.namespace, labels) if is_sidecar else None
    scope = ScopeKey(proxy.namespace, sidecar, gateway=not is_sidecar)
    versions = {ip_address(ip).version for ip in proxy.ips}
    telemetry_labels = _only(labels, telemetry_label_keys(db, proxy.namespace))
    ipv4, ipv6 = 4 in versions or not versions, 6 in versions
    outbound = OutboundView(
        scope=scope,
        type=proxy.type,
        dns_domain=proxy.dns_domain,
        cluster_id=proxy.cluster_id,
        network=proxy.network,
        locality=_locality(labels) or (workload.locality if workload is not None else "") or proxy.locality,
        interception=proxy.interception,
        node_name=proxy.node_name if _has_node_local(db, scope) else "",
        ipv4=ipv4,
        ipv6=ipv6,
        istio_filters=proxy.istio_filters,
        vhds=proxy.vhds,
        dns_auto_allocate=proxy.dns_auto_allocate,
        dns_srv=proxy.dns_srv,
        http10=proxy.http10,
        idle_timeout=proxy.idle_timeout,
        unprivileged=proxy.unprivileged,
        bound=proxy.bound,
        http_proxy_port=proxy.http_proxy_port,
        static_ports=proxy.static_ports,
        client_certificates=proxy.client_certificates,
        route_labels=_only(labels, route_label_keys(db, scope)),
        rule_labels=_only(labels, rule_label_keys(db, proxy.namespace)),
        telemetry_labels=telemetry_labels,
        tracing=proxy.tracing,
    )
    inbound = InboundView(
        scope=scope,
        type=proxy.type,
        namespace=proxy.namespace,
        targets=_targets(db, proxy),
        policy_labels=_only(labels, policy_label_keys(db, proxy.namespace)),
        interception=proxy.interception,
        telemetry_labels=telemetry_labels,
        tracing=proxy.tracing,
        address=proxy.ips[0] if proxy.ips and ingress_listeners(db, scope) else "",
        ipv4=ipv4,
        ipv6=ipv6,
        istio_filters=proxy.istio_filters,
        http10=proxy.http10,
        bound=proxy.bound,
        server_certificates=proxy.server_certificates,
    )
    return ProxyView(outbound=outbound, inbound=inbound)


def _targets(db: Database, proxy: ProxyKey) -> tuple[InboundTarget, ...]:
    return tuple(dict.fromkeys(target for ip in proxy.ips for target in targets_at(db, ip)))


def _only(labels: Labels, keys: frozenset[str]) -> Labels:
    return tuple(pair for pair in labels if pair[0] in keys) if keys else ()


def _locality(labels: Labels) -> str:
    """Region, zone and subzone labels, else the one locality label, whose dots stand for slashes."""
    have = dict(labels)
    parts = [have.get(REGION, ""), have.get(ZONE, ""), have.get(SUBZONE, "")]
    if any(parts):
        return "/".join(parts).rstrip("/")
    written = have.get(LOCALITY) or have.get(LOCALITY_LEGACY) or ""
    return written if "/" in written else written.replace(".", "/")
