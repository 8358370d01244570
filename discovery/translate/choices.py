"""Which clusters a service has for clients of a namespace; clusters and endpoints are rendered from the same choice."""

from __future__ import annotations

from typing import NamedTuple

from discovery.engine import Database, query
from discovery.mesh.destination_rules import PolicyOf, RuleFinder, RuleSources, merged_rule, policy_of
from discovery.mesh.proxy import Labels, ScopeKey
from discovery.mesh.scope import scope_services
from discovery.mesh.services import service
from discovery.mesh.settings import mesh_locality
from discovery.registry.service import ProtocolClass, Resolution, ServiceRef
from discovery.translate.locality import balances_localities, prefers_same_zone
from discovery.wire.names import outbound_cluster as outbound_name

__all__ = ["ClusterChoice", "ScopeClusters", "scope_clusters"]


class ScopeClusters(NamedTuple):
    """The clusters that proxies of a scope may be served."""

    scope: ScopeKey
    client_labels: Labels  # only those that DestinationRules select by


class ClusterChoice(NamedTuple):
    """One cluster of a service, before it is known which kind of proxy asks."""

    name: str
    service: ServiceRef
    port: int
    subset: str
    rule: RuleSources  # DestinationRules in force; clients that found the same ones share the cluster
    balances: bool  # chooses among localities, so that the proxy's own matters
    discovered: bool  # endpoints come by EDS
    node_local: bool  # only endpoints at the proxy's own Node count
    near: bool  # endpoints of the proxy's own zone come first, as the service wishes


class _RuledService(NamedTuple):
    service: ServiceRef
    rule: RuleSources


@query
def scope_clusters(db: Database, key: ScopeClusters) -> tuple[ClusterChoice, ...]:
    """The clusters of all services of a scope: each port that is not UDP, whole and by subset."""
    rules = RuleFinder(db, key.scope.namespace, key.client_labels)
    found: list[ClusterChoice] = []
    for ref in scope_services(db, key.scope):
        found += _choices(db, _RuledService(ref, rules.find(ref)))
    return tuple(found)


@query
def _choices(db: Database, key: _RuledService) -> tuple[ClusterChoice, ...]:
    found = service(db, key.service)
    if found is None or found.resolution is Resolution.ALIAS:
        return ()
    merged = merged_rule(db, key.rule) if key.rule else None
    subsets = () if merged is None else tuple(subset.name for subset in merged.spec.subsets)
    discovered = found.resolution is Resolution.CLIENT_SIDE_LB
    return tuple(
        ClusterChoice(
            outbound_name(key.service.host, port.number, subset),
            key.service,
            port.number,
            subset,
            key.rule,
            balances_localities(policy_of(db, PolicyOf(key.rule, port.number, subset)), mesh_locality(db, None)),
            discovered,
            found.node_local,
            prefers_same_zone(policy_of(db, PolicyOf(key.rule, port.number, subset)), found.traffic_distribution),
        )
        for port in found.ports
        if port.protocol.family is not ProtocolClass.UDP
        for subset in ("", *subsets)
    )
