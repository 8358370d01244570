from __future__ import annotations

from discovery.schema.kinds import GATEWAY_API, KINDS, find_kind, is_mesh_group
from discovery.schema.meta import Kind


def test_every_kind_has_a_struct() -> None:
    """A kind that nobody can decode would be a dead key."""
    assert set(KINDS) == set(Kind)
    for info in KINDS.values():
        assert find_kind(info.group, info.name) is info


def test_kinds_of_other_groups_are_others() -> None:
    """A Knative Service is not a Service."""
    assert find_kind("serving.knative.dev", "Service") is None
    assert KINDS[Kind.SERVICE].api_version == "v1"
    assert KINDS[Kind.SIDECAR].api_version == "networking.istio.io/v1"


def test_two_kinds_are_called_gateway() -> None:
    """The group tells them apart, and so do their keys: two objects of one name in one namespace stay two."""
    istio, kubernetes = find_kind("networking.istio.io", "Gateway"), find_kind("gateway.networking.k8s.io", "Gateway")
    assert istio is KINDS[Kind.GATEWAY]
    assert kubernetes is KINDS[Kind.KUBERNETES_GATEWAY]
    assert find_kind("gateway.networking.k8s.io", "KubernetesGateway") is None
    assert kubernetes.name == "Gateway"


def test_kinds_of_the_gateway_api_are_told_from_ours() -> None:
    """They are read and have no effect yet; only a class belongs to no namespace."""
    assert Kind.HTTP_ROUTE in GATEWAY_API
    assert Kind.GATEWAY not in GATEWAY_API
    assert not any(KINDS[kind].translated or KINDS[kind].whole for kind in GATEWAY_API)
    assert [kind for kind in GATEWAY_API if not KINDS[kind].namespaced] == [Kind.GATEWAY_CLASS]


def test_mesh_groups_are_told_from_foreign_ones() -> None:
    """Ignoring a Gateway is worth a warning, ignoring a Deployment is not."""
    assert is_mesh_group("networking.istio.io")
    assert is_mesh_group("gateway.networking.k8s.io")
    assert is_mesh_group("gateway.networking.x-k8s.io")
    assert not is_mesh_group("apps")
