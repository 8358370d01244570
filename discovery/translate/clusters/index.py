"""Which clusters a proxy is served, and where each is rendered."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from discovery.engine import Database, query
from discovery.mesh.proxy import InboundView, OutboundView
from discovery.mesh.scope import ingress_listeners
from discovery.translate.choices import ScopeClusters, scope_clusters
from discovery.translate.clusters.inbound import inbound_cluster
from discovery.translate.clusters.key import ClusterProxy, InboundClusterKey, OutboundClusterKey, StaticClusterKey
from discovery.translate.clusters.outbound import outbound_cluster
from discovery.translate.clusters.static import static_cluster
from discovery.translate.dynamic_dns import family_of_unknown_hosts
from discovery.translate.tables import Index, ResourceRef
from discovery.wire.names import (
    ALLOW_ANY_DYNAMIC_DNS_CLUSTER,
    BLACK_HOLE_CLUSTER,
    INBOUND_PASSTHROUGH_CLUSTER,
    PASSTHROUGH_CLUSTER,
)
from discovery.wire.names import inbound_cluster as inbound_name
from discovery.wire.node import InterceptionMode, NodeType

__all__ = ["inbound_cluster_index", "outbound_cluster_index"]


def _proxy(view: OutboundView) -> ClusterProxy:
    return ClusterProxy(
        type=view.type,
        ipv4=view.ipv4,
        ipv6=view.ipv6,
        istio_filters=view.istio_filters,
        client_certificates=view.client_certificates,
    )


@query
def outbound_cluster_index(db: Database, view: OutboundView) -> Index:
    """Outbound clusters of a proxy, the fixed ones included."""
    plain = _proxy(view)
    located = msgspec.structs.replace(plain, locality=view.locality)
    index = dict(_fixed(db, view))
    for choice in scope_clusters(db, ScopeClusters(view.scope, view.rule_labels)):
        key = OutboundClusterKey(
            service=choice.service,
            port=choice.port,
            subset=choice.subset,
            rule=choice.rule,
            proxy=located if choice.balances else plain,
        )
        index.setdefault(choice.name, ResourceRef(outbound_cluster, key))
    return index


def _fixed(db: Database, view: OutboundView) -> Iterator[tuple[str, ResourceRef]]:
    names = [BLACK_HOLE_CLUSTER]
    if view.type is NodeType.SIDECAR:
        names += [PASSTHROUGH_CLUSTER, INBOUND_PASSTHROUGH_CLUSTER]
        if family_of_unknown_hosts(db, view):
            names.append(ALLOW_ANY_DYNAMIC_DNS_CLUSTER)
    for name in names:
        bound = view.bound and name == INBOUND_PASSTHROUGH_CLUSTER
        key = StaticClusterKey(name=name, ipv4=view.ipv4, ipv6=view.ipv6, bound=bound)
        yield name, ResourceRef(static_cluster, key)


@query
def inbound_cluster_index(db: Database, view: InboundView) -> Index:
    """Clusters of the workload's own ports: those of its services, or those that a Sidecar's ingress spells out."""
    if view.type is not NodeType.SIDECAR:
        return {}
    index: dict[str, ResourceRef] = {}
    for key in _ingress_keys(db, view) or _target_keys(view):
        index.setdefault(inbound_name(key.port), ResourceRef(inbound_cluster, key))
    return index


def _target_keys(view: InboundView) -> list[InboundClusterKey]:
    if view.interception is InterceptionMode.NONE:
        return []
    return [
        InboundClusterKey(
            port=target.target_port,
            service=target.service,
            service_port=target.port.number,
            namespace=view.namespace,
            ipv4=view.ipv4,
            ipv6=view.ipv6,
            bound=view.bound,
        )
        for target in view.targets
    ]


def _ingress_keys(db: Database, view: InboundView) -> list[InboundClusterKey]:
    keys = []
    for listener in ingress_listeners(db, view.scope):
        if listener.port is None:
            continue
        keys.append(
            InboundClusterKey(
                port=listener.port.number,
                endpoint=_own_endpoint(listener.default_endpoint, view.address),
                protocol=listener.port.protocol,
                namespace=view.namespace,
                ipv4=view.ipv4,
                ipv6=view.ipv6,
                bound=view.bound,
            )
        )
    return keys


def _own_endpoint(written: str, own_address: str) -> str:
    """``defaultEndpoint`` as an address, where the wildcard stands for the workload's own.

    Empty, so that connections go on to where they were going, if nothing is written or the workload's address is of
    the other family.
    """
    host, _, port = written.rpartition(":")
    if host == "0.0.0.0":  # noqa: S104 - compared, not bound
        return f"{own_address}:{port}" if own_address and ":" not in own_address else ""
    if host == "[::]":
        return f"[{own_address}]:{port}" if ":" in own_address else ""
    return written
