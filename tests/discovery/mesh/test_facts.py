"""What reading objects depends on besides the objects."""

from __future__ import annotations

from discovery.mesh.facts import mesh_facts
from discovery.schema.mesh_config import MeshConfig
from discovery.store.cells import MESH
from tests.kit.mesh_db import MeshDb


def test_the_first_trust_domain_is_the_clusters() -> None:
    """Aliases are for verifying others; identities are made in the mesh's own domain."""
    mesh = MeshDb(
        mesh=MeshConfig(trust_domain="prod.example", trust_domain_aliases=("old.example",)), domain="mesh.test"
    )
    facts = mesh_facts(mesh.db, None)
    assert (facts.trust_domain, facts.domain) == ("prod.example", "mesh.test")


def test_other_settings_of_the_mesh_stop_here() -> None:
    """Services and endpoints are read anew only when a fact changes."""
    mesh = MeshDb()
    before = mesh_facts(mesh.db, None)
    mesh.db.commit([(MESH, None, MeshConfig(ingress_class="other"))])
    assert mesh_facts(mesh.db, None) is before
