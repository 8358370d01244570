"""Which load assignments a proxy may ask for, and where each is rendered."""

from __future__ import annotations

from discovery.engine import Database, query
from discovery.mesh.proxy import OutboundView
from discovery.mesh.scope import scope_services
from discovery.translate.choices import ServiceClusters, service_clusters
from discovery.translate.endpoints.load_assignment import AssignmentKey, load_assignment
from discovery.translate.tables import Index, ResourceRef

__all__ = ["endpoint_index"]


@query
def endpoint_index(db: Database, view: OutboundView) -> Index:
    """Load assignments of all clusters whose endpoints come by EDS."""
    index: dict[str, ResourceRef] = {}
    for ref in scope_services(db, view.scope):
        for choice in service_clusters(db, ServiceClusters(view.scope.namespace, view.rule_labels, ref)):
            if not choice.discovered:
                continue
            key = AssignmentKey(
                service=ref,
                port=choice.port,
                subset=choice.subset,
                rule=choice.rule,
                locality=view.locality if choice.balances else "",
            )
            index.setdefault(choice.name, ResourceRef(load_assignment, key))
    return index
