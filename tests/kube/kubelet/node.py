"""The node's own object and heartbeat, and the binding of pods to it."""

from __future__ import annotations

import asyncio
from typing import Final

from discovery.runtime.clock import Clock
from tests.kube.kubelet.api import STRATEGIC, Api, ApiError
from tests.kube.kubelet.environment import Json
from tests.kube.kubelet.records import instant

__all__ = ["bind_pods", "heartbeat", "register_node"]

_HEARTBEAT_S: Final = 10.0
_RETRY_S: Final = 0.5
_CAPACITY: Final = {"cpu": "64", "memory": "64Gi", "pods": "500", "ephemeral-storage": "64Gi"}
_READY: Final = {
    "Ready": "True", "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False",
}  # fmt: skip


async def register_node(api: Api, name: str, ip: str, clock: Clock) -> None:
    """Make the node known, and ready.

    Raises:
        ApiError: the server refuses.
    """
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/region": "region-1",
        "topology.kubernetes.io/zone": "zone-1",
    }
    try:
        await api.call("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
    except ApiError as error:
        if error.status != 409:
            raise
    now = instant(clock.now())
    conditions = [
        {
            "type": kind, "status": status, "reason": "TestKubelet", "lastHeartbeatTime": now, "lastTransitionTime": now
        }
        for kind, status in _READY.items()
    ]  # fmt: skip
    addresses = [{"type": "InternalIP", "address": ip}, {"type": "Hostname", "address": name}]
    info = {"kubeletVersion": "v1.36.3", "operatingSystem": "linux", "architecture": "amd64"}
    status: Json = {
        "conditions": conditions, "addresses": addresses, "capacity": _CAPACITY, "allocatable": _CAPACITY,
        "nodeInfo": {**dict.fromkeys(("machineID", "systemUUID", "bootID", "kernelVersion", "osImage"), "test"),
                     "containerRuntimeVersion": "test://1", "kubeProxyVersion": "", **info},
    }  # fmt: skip
    await api.call("PATCH", f"/api/v1/nodes/{name}/status", {"status": status}, content_type=STRATEGIC)


async def heartbeat(api: Api, name: str, clock: Clock) -> None:
    """Renew the node's lease, for ever; without it the node's pods count as lost."""
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    while True:
        renewed = clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": renewed}
        try:
            try:
                await api.call("PATCH", f"{path}/{name}", {"spec": spec}, content_type=STRATEGIC)
            except ApiError as error:
                if error.status != 404:
                    raise
                await api.call("POST", path, {"metadata": {"name": name}, "spec": spec})
        except ApiError:
            await asyncio.sleep(_RETRY_S)
            continue
        await asyncio.sleep(_HEARTBEAT_S)


async def bind_pods(api: Api, node: str) -> None:
    """Send every pod without a node to this one, for ever."""
    async for changes in api.follow("/api/v1/pods", {"fieldSelector": "spec.nodeName="}):
        for change in changes:
            if change.gone or change.item["spec"].get("nodeName") or change.item["spec"].get("schedulingGates"):
                continue
            metadata = change.item["metadata"]
            target = {"apiVersion": "v1", "kind": "Node", "name": node}
            body: Json = {"metadata": {"name": metadata["name"], "uid": metadata["uid"]}, "target": target}
            try:
                await api.call(
                    "POST", f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/binding", body
                )
            except ApiError:
                continue  # bound or deleted meanwhile; else its next change brings it here again
