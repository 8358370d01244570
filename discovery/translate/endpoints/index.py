"""Which load assignments a proxy may ask for, and where each is rendered."""

from __future__ import annotations

from discovery.engine import Database, query
from discovery.mesh.proxy import OutboundView
from discovery.translate.choices import ScopeClusters, scope_clusters
from discovery.translate.endpoints.load_assignment import AssignmentKey, load_assignment
from discovery.translate.tables import Index, ResourceRef

__all__ = ["endpoint_index"]


@query
def endpoint_index(db: Database, view: OutboundView) -> Index:
    """Load assignments of all clusters whose endpoints come by EDS."""
    index: dict[str, ResourceRef] = {}
    for choice in scope_clusters(db, ScopeClusters(view.scope, view.rule_labels)):
        if not choice.discovered:
            continue
        key = AssignmentKey(
            service=choice.service,
            port=choice.port,
            subset=choice.subset,
            rule=choice.rule,
            locality=view.locality if choice.balances or choice.near else "",
            node=view.node_name if choice.node_local else None,
        )
        index.setdefault(choice.name, ResourceRef(load_assignment, key))
    return index
