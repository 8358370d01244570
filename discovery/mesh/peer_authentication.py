"""Which workloads demand mutual TLS.

Spec: https://istio.io/latest/docs/reference/config/security/peer_authentication/
"""

from __future__ import annotations

from typing import NamedTuple

from discovery.engine import Database, query
from discovery.mesh.proxy import Labels
from discovery.schema.meta import Kind, Object, ObjectKey, age_order
from discovery.schema.peer_authentication import MutualTLSMode, PeerAuthentication
from discovery.store.cells import MESH, NAMES, OBJECT, InNamespace

__all__ = [
    "MtlsPolicy",
    "WorkloadPolicyKey",
    "mtls_policy",
    "namespace_mtls",
    "policy_label_keys",
    "root_namespace",
]


class MtlsPolicy(NamedTuple):
    """The effective mode of a workload, and the container ports that differ from it."""

    mode: MutualTLSMode
    ports: tuple[tuple[int, MutualTLSMode], ...] = ()

    def for_port(self, port: int) -> MutualTLSMode:
        """The mode of one container port."""
        return dict(self.ports).get(port, self.mode)


class WorkloadPolicyKey(NamedTuple):
    """A workload as policies select it."""

    namespace: str
    labels: Labels


class _Policy(NamedTuple):
    key: ObjectKey
    selector: Labels
    mode: MutualTLSMode
    ports: tuple[tuple[int, MutualTLSMode], ...]


@query
def root_namespace(db: Database, _: None) -> str:
    """The namespace whose policies hold for the whole mesh."""
    return MESH(db, None).root_namespace


@query
def _policies(db: Database, namespace: str) -> tuple[_Policy, ...]:
    """The policies of a namespace, oldest first."""
    names = NAMES(db, InNamespace(Kind.PEER_AUTHENTICATION, namespace))
    objects = [OBJECT(db, ObjectKey(Kind.PEER_AUTHENTICATION, namespace, name)) for name in sorted(names)]
    return tuple(_policy(obj) for obj in sorted((o for o in objects if o is not None), key=age_order))


def _policy(obj: Object) -> _Policy:
    spec: PeerAuthentication = obj.spec
    selector = () if spec.selector is None else tuple(sorted(spec.selector.wanted.items()))
    mode = MutualTLSMode.UNSET if spec.mtls is None else spec.mtls.mode
    ports = tuple(sorted((port, tls.mode) for port, tls in spec.port_level_mtls.items()))
    return _Policy(obj.key, selector, mode, ports)


def _without_selector(policies: tuple[_Policy, ...]) -> MutualTLSMode:
    return next((policy.mode for policy in policies if not policy.selector), MutualTLSMode.UNSET)


@query
def namespace_mtls(db: Database, namespace: str) -> MutualTLSMode:
    """The mode of a namespace: its own policy, else the mesh's, else PERMISSIVE."""
    for place in dict.fromkeys((namespace, root_namespace(db, None))):
        mode = _without_selector(_policies(db, place))
        if mode is not MutualTLSMode.UNSET:
            return mode
    return MutualTLSMode.PERMISSIVE


@query
def policy_label_keys(db: Database, namespace: str) -> frozenset[str]:
    """Label keys that policies of a namespace select workloads by; other labels cannot matter."""
    return frozenset(key for policy in _policies(db, namespace) for key, _ in policy.selector)


@query
def mtls_policy(db: Database, workload: WorkloadPolicyKey) -> MtlsPolicy:
    """The effective policy of a workload: one that selects it, else the namespace's, else the mesh's; never UNSET.

    Policies that select workloads count in the workload's own namespace only, and not in the root namespace.
    """
    inherited = namespace_mtls(db, workload.namespace)
    if workload.namespace == root_namespace(db, None):
        return MtlsPolicy(inherited)
    labels = set(workload.labels)
    for policy in _policies(db, workload.namespace):
        if policy.selector and labels.issuperset(policy.selector):
            mode = inherited if policy.mode is MutualTLSMode.UNSET else policy.mode
            ports = tuple((port, mode if m is MutualTLSMode.UNSET else m) for port, m in policy.ports)
            return MtlsPolicy(mode, ports)
    return MtlsPolicy(inherited)
