"""What conversion to the registry's model depends on besides the object itself: where it was read, and the mesh."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MeshFacts", "spiffe_id"]


class MeshFacts(NamedTuple):
    """Of the cluster whose objects are converted."""

    domain: str = "cluster.local"  # DNS suffix of services
    trust_domain: str = "cluster.local"
    cluster_id: str = "Kubernetes"
    network: str = ""  # of workloads that do not state their own
    dual_stack: bool = False  # all addresses of a Pod are one endpoint; else each is one


def spiffe_id(trust_domain: str, namespace: str, service_account: str) -> str:
    """The identity of a service account, as certificates carry it; empty without a service account."""
    return f"spiffe://{trust_domain}/ns/{namespace}/sa/{service_account}" if service_account else ""
