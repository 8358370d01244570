"""What reading objects depends on besides the objects: the local cluster and the trust domain."""

from __future__ import annotations

from discovery.engine import Database, query
from discovery.mesh.settings import trust_domains
from discovery.registry.facts import MeshFacts
from discovery.store.cells import CLUSTER

__all__ = ["mesh_facts"]


@query
def mesh_facts(db: Database, _: None) -> MeshFacts:
    """The facts of the local cluster."""
    cluster = CLUSTER(db, None)
    return MeshFacts(
        domain=cluster.domain,
        trust_domain=trust_domains(db, None)[0],
        cluster_id=cluster.cluster_id,
        dual_stack=cluster.dual_stack,
    )
