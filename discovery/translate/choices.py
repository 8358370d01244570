"""Which clusters a service has for clients of a namespace; clusters and endpoints are rendered from the same choice."""

from __future__ import annotations

from typing import NamedTuple

from discovery.engine import Database, query
from discovery.mesh.destination_rules import PolicyOf, RuleFor, RuleSources, find_rule, merged_rule, policy_of
from discovery.mesh.proxy import Labels
from discovery.mesh.services import service
from discovery.mesh.settings import mesh_locality
from discovery.registry.service import ProtocolClass, Resolution, ServiceRef
from discovery.translate.locality import balances_localities
from discovery.wire.names import outbound_cluster as outbound_name

__all__ = ["ClusterChoice", "ServiceClusters", "service_clusters"]


class ServiceClusters(NamedTuple):
    """A service as some clients call it."""

    client_namespace: str
    client_labels: Labels  # only those that DestinationRules select by
    service: ServiceRef


class ClusterChoice(NamedTuple):
    """One cluster of a service, before it is known which kind of proxy asks."""

    name: str
    port: int
    subset: str
    rule: RuleSources  # DestinationRules in force; clients that found the same ones share the cluster
    balances: bool  # chooses among localities, so that the proxy's own matters
    discovered: bool  # endpoints come by EDS


class _RuledService(NamedTuple):
    service: ServiceRef
    rule: RuleSources


@query
def service_clusters(db: Database, key: ServiceClusters) -> tuple[ClusterChoice, ...]:
    """The clusters of a service: each port that is not UDP, whole and by subset."""
    rule = find_rule(db, RuleFor(key.client_namespace, key.service, key.client_labels))
    return _choices(db, _RuledService(key.service, rule))


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
            port.number,
            subset,
            key.rule,
            balances_localities(policy_of(db, PolicyOf(key.rule, port.number, subset)), mesh_locality(db, None)),
            discovered,
        )
        for port in found.ports
        if port.protocol.family is not ProtocolClass.UDP
        for subset in ("", *subsets)
    )
