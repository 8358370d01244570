"""Which workloads demand mutual TLS: workload before namespace before mesh before PERMISSIVE."""

from __future__ import annotations

from discovery.mesh.peer_authentication import (
    MtlsPolicy,
    WorkloadPolicyKey,
    mtls_policy,
    namespace_mtls,
    policy_label_keys,
)
from discovery.schema.peer_authentication import MutualTLSMode
from tests.kit.mesh_db import MeshDb

STRICT, PERMISSIVE, DISABLE = MutualTLSMode.STRICT, MutualTLSMode.PERMISSIVE, MutualTLSMode.DISABLE


def policy(name: str, namespace: str, spec: str, *, created: str = "2024-01-01") -> str:
    return f"""---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: '{created}T00:00:00Z'}}
spec: {spec}
"""


MESH = policy("mesh", "istio-system", "{mtls: {mode: STRICT}}")
NAMESPACE = policy("ns", "shop", "{mtls: {mode: DISABLE}}")
WORKLOAD = policy(
    "w",
    "shop",
    "{selector: {matchLabels: {app: a}}, mtls: {mode: PERMISSIVE}, "
    "portLevelMtls: {8080: {mode: STRICT}, 9090: {mode: UNSET}}}",
)


def test_nothing_written_means_permissive() -> None:
    """A mesh can be joined workload by workload."""
    assert namespace_mtls(MeshDb().db, "shop") is PERMISSIVE


def test_namespace_wins_over_mesh() -> None:
    """The nearest policy without selector."""
    mesh = MeshDb(MESH + NAMESPACE)
    assert (namespace_mtls(mesh.db, "shop"), namespace_mtls(mesh.db, "other")) == (DISABLE, STRICT)


def test_workload_policy_has_ports() -> None:
    """A selecting policy wins; its ports differ from its mode, and UNSET inherits."""
    found = mtls_policy(MeshDb(MESH + NAMESPACE + WORKLOAD).db, WorkloadPolicyKey("shop", (("app", "a"),)))
    assert found == MtlsPolicy(PERMISSIVE, ((8080, STRICT), (9090, PERMISSIVE)))
    assert (found.for_port(8080), found.for_port(1)) == (STRICT, PERMISSIVE)


def test_unset_workload_mode_inherits() -> None:
    """A policy that only sets ports leaves the rest to the namespace."""
    text = NAMESPACE + policy("w", "shop", "{selector: {matchLabels: {app: a}}, portLevelMtls: {1: {mode: STRICT}}}")
    found = mtls_policy(MeshDb(text).db, WorkloadPolicyKey("shop", (("app", "a"),)))
    assert found == MtlsPolicy(DISABLE, ((1, STRICT),))


def test_the_oldest_of_two_wins() -> None:
    """So does the oldest of two namespace-wide policies."""
    text = policy("young", "shop", "{mtls: {mode: STRICT}}", created="2024-02-01") + NAMESPACE
    assert namespace_mtls(MeshDb(text).db, "shop") is DISABLE


def test_selectors_of_the_root_namespace_select_nobody() -> None:
    """A policy for workloads counts in their own namespace only."""
    text = policy("w", "istio-system", "{selector: {matchLabels: {app: a}}, mtls: {mode: DISABLE}}")
    mesh = MeshDb(text)
    for namespace in ("istio-system", "shop"):
        assert mtls_policy(mesh.db, WorkloadPolicyKey(namespace, (("app", "a"),))).mode is PERMISSIVE


def test_label_keys_are_those_of_selectors() -> None:
    """Other labels of a workload cannot matter, so they enter no key."""
    assert policy_label_keys(MeshDb(WORKLOAD).db, "shop") == {"app"}
