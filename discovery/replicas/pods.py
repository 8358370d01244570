"""Which pods are replicas of this control plane, of what the API server says of them. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from discovery.kube.informer import Selection
from discovery.schema.kubernetes import PodStatus

__all__ = ["ReplicaPod", "decode_pod", "replicas_of"]

_ENDED: Final = frozenset({"Succeeded", "Failed"})


class ReplicaPod(msgspec.Struct, frozen=True):
    """A pod that may serve proxies.

    Attributes:
        address: of the pod.
        ready: whether proxies are led there.
    """

    name: str
    address: str
    ready: bool


class _Metadata(msgspec.Struct, frozen=True):
    name: str


class _Pod(msgspec.Struct, frozen=True):
    metadata: _Metadata
    status: PodStatus = PodStatus()


_DECODER: Final = msgspec.json.Decoder(_Pod)


def replicas_of(namespace: str, revision: str) -> Selection:
    """The pods of a revision of the control plane, by the labels that its Service and its chart know them by."""
    return Selection(namespace=namespace, labels=f"app=istiod,istio.io/rev={revision or 'default'}")


def decode_pod(raw: bytes) -> ReplicaPod | None:
    """The replica; None where the pod has no address yet or has ended, so that it serves nobody."""
    pod = _DECODER.decode(raw)
    if not pod.status.pod_ip or pod.status.phase in _ENDED:
        return None
    ready = any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)
    return ReplicaPod(pod.metadata.name, pod.status.pod_ip, ready)
