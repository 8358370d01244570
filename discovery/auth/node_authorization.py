"""Proxies of nodes that ask for certificates of the workloads on their node, in the workloads' names.

Only accounts that the operator named may (CA_TRUSTED_NODE_ACCOUNTS); only with a token that is bound to a pod; and only
for accounts that have a pod on the very node where that pod runs. So a node that was taken over gives away no more than
the identities that were on it anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from certs.errors import SpiffeError
from certs.spiffe import Spiffe, parse_spiffe
from discovery.auth.caller import Caller
from discovery.auth.errors import ForbiddenError
from discovery.schema.kubernetes import Pod
from discovery.schema.meta import Kind, Object, ObjectKey

__all__ = ["NodeAuthorizer", "PodFacts", "Pods", "StorePods"]

_MAX_QUOTED = 200  # of what a stranger wrote
_OVER = frozenset({"Succeeded", "Failed"})


class PodFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A pod, as far as it says who may speak for whom."""

    uid: str
    node: str
    service_account: str


class Pods(Protocol):
    """The pods of the cluster."""

    def find(self, namespace: str, name: str) -> PodFacts | None:
        """The pod of that name."""

    def runs_on(self, node: str, *, namespace: str, service_account: str) -> bool:
        """Whether a pod of that account is on the node."""


class NodeAuthorizer:
    """Says whether a caller may act as another.

    Args:
        trusted: (namespace, service account) of proxies of nodes.
        pods: as they are now.
    """

    def __init__(self, trusted: frozenset[tuple[str, str]], pods: Pods) -> None:
        self._trusted = trusted
        self._pods = pods

    def authorize(self, caller: Caller, wanted: str) -> Spiffe:
        """The identity that the caller may act as.

        Raises:
            ForbiddenError: it may not; the text says why.
        """
        own = next((one for one in caller.identities if (one.namespace, one.service_account) in self._trusted), None)
        if own is None:
            who = ", ".join(map(str, caller.identities)) or "nobody"
            raise ForbiddenError(f"{who} is not among CA_TRUSTED_NODE_ACCOUNTS")
        identity = _parse(wanted)
        if identity.trust_domain != own.trust_domain:
            raise ForbiddenError(f"{own} asked to be {identity}, of another trust domain")
        node = self._node_of(caller, own)
        if not self._pods.runs_on(node, namespace=identity.namespace, service_account=identity.service_account):
            raise ForbiddenError(f"{own} asked to be {identity}, which has no pod on node {node}")
        return identity

    def _node_of(self, caller: Caller, own: Spiffe) -> str:
        claimed = caller.pod
        if claimed is None:
            raise ForbiddenError(f"{own}: its proof is not bound to a pod")
        pod = self._pods.find(claimed.namespace, claimed.name)
        where = f"{own}: pod {claimed.namespace}/{claimed.name}"
        if pod is None:
            raise ForbiddenError(f"{where} is not known")
        if pod.uid != claimed.uid:
            raise ForbiddenError(f"{where} is another one than the token is bound to")
        if pod.service_account != own.service_account:
            raise ForbiddenError(f"{where} runs as {pod.service_account}")
        if not pod.node or (claimed.node and claimed.node != pod.node):
            raise ForbiddenError(f"{where} is on node {pod.node!r}, its token was made on {claimed.node!r}")
        return pod.node


def _parse(wanted: str) -> Spiffe:
    try:
        return parse_spiffe(wanted)
    except SpiffeError as error:
        raise ForbiddenError(f"asked to be {wanted[:_MAX_QUOTED]!r}: {error.what}") from error


class StorePods:
    """The pods among the objects that are served; they are looked through for each question, 0.1 us per object."""

    def __init__(self, objects: Mapping[ObjectKey, Object]) -> None:
        self._objects = objects

    def find(self, namespace: str, name: str) -> PodFacts | None:
        """The pod of that name."""
        found = self._objects.get(ObjectKey(Kind.POD, namespace, name))
        if found is None or not isinstance(found.spec, Pod):
            return None
        spec = found.spec.spec
        return PodFacts(uid=found.meta.uid, node=spec.node_name, service_account=spec.service_account_name)

    def runs_on(self, node: str, *, namespace: str, service_account: str) -> bool:
        """Whether a pod of that account is on the node and has not run its course."""
        for key, found in self._objects.items():
            if key.kind is Kind.POD and key.namespace == namespace and isinstance(found.spec, Pod):
                spec = found.spec.spec
                here = (spec.node_name, spec.service_account_name) == (node, service_account)
                if here and found.spec.status.phase not in _OVER:
                    return True
        return False
