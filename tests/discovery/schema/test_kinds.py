from __future__ import annotations

from discovery.schema.kinds import KINDS, find_kind, is_mesh_group
from discovery.schema.meta import Kind


def test_every_kind_has_a_struct() -> None:
    """A kind that nobody can decode would be a dead key."""
    assert set(KINDS) == set(Kind)
    for info in KINDS.values():
        assert find_kind(info.group, info.kind) is info


def test_kinds_of_other_groups_are_others() -> None:
    """A Knative Service is not a Service."""
    assert find_kind("serving.knative.dev", "Service") is None
    assert KINDS[Kind.SERVICE].api_version == "v1"
    assert KINDS[Kind.SIDECAR].api_version == "networking.istio.io/v1"


def test_mesh_groups_are_told_from_foreign_ones() -> None:
    """Ignoring a Gateway is worth a warning, ignoring a Deployment is not."""
    assert is_mesh_group("networking.istio.io")
    assert is_mesh_group("gateway.networking.k8s.io")
    assert not is_mesh_group("apps")
