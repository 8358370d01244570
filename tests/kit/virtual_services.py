"""VirtualServices for tests: as YAML text, by key, and resolved."""

from __future__ import annotations

from discovery.mesh.virtual_services import ResolvedVirtualService, virtual_service
from discovery.schema.meta import Kind, ObjectKey
from tests.kit.mesh_db import MeshDb

__all__ = ["document", "key", "resolved"]


def document(name: str, spec: str, *, namespace: str = "shop", created: str = "2024-01-01T00:00:00Z") -> str:
    """A YAML document with that spec."""
    body = "\n".join("  " + line for line in spec.strip().splitlines())
    return (
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n"
        f"metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: '{created}'}}\nspec:\n{body}\n"
    )


def key(name: str, namespace: str = "shop") -> ObjectKey:
    """The identity of a VirtualService."""
    return ObjectKey(Kind.VIRTUAL_SERVICE, namespace, name)


def resolved(mesh: MeshDb, name: str, namespace: str = "shop") -> ResolvedVirtualService:
    """A VirtualService that must be there."""
    found = virtual_service(mesh.db, key(name, namespace))
    assert found is not None
    return found
