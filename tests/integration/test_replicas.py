"""Two control planes as processes of their own, behind real secure ports: conditions speak of the proxies of both."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from discovery.wire.envoy import DeltaDiscoveryRequest
from discovery.wire.type_urls import CLUSTER
from tests.kit.eventually import eventually
from tests.kit.free_ports import free_ports
from tests.kit.kube_api.handle import Json, KubeApi
from tests.kit.kube_cluster import crds, service
from tests.kit.live import Program, program
from tests.kit.prerequisites import envoy_binary
from tests.kit.replicas import replica_pod
from tests.kit.xds_clients import DeltaClient
from tests.kit.xds_live import AdsStream, node_of

pytestmark = [pytest.mark.kube, pytest.mark.envoy, pytest.mark.timeout(120)]

_ADDRESSES: Final = {"one": "127.0.0.2", "two": "127.0.0.3"}
_API: Final = "networking.istio.io/v1"


class SlowProxy(DeltaClient):
    """Acknowledges only what it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = False
        self.kept: list[bytes] = []

    def take(self, raw: bytes) -> list[bytes]:
        """The answers; none for now while it is slow."""
        answers = super().take(raw)
        if not self.slow:
            return answers
        self.kept += answers
        return []

    def answers(self, error: str = "") -> list[bytes]:
        """What was kept, as a rejection if there is an error."""
        kept, self.kept, self.slow = self.kept, [], False
        requests = [DeltaDiscoveryRequest.FromString(raw) for raw in kept]
        for request in requests:
            if error:
                request.error_detail.code, request.error_detail.message = 13, error
        return [request.SerializeToString() for request in requests]


class Mesh:
    """Two replicas, and a DestinationRule."""

    def __init__(self, api: KubeApi, system: str, ports: tuple[int, int]) -> None:
        self.api = api
        self.system = system
        self.xds_port, self.secure_port = ports
        self.replicas: dict[str, Program] = {}

    async def leader(self) -> str:
        """The replica that writes conditions, empty if none does."""
        lease = await self.api.get("coordination.k8s.io/v1", "Lease", "istiod-leader-default", self.system)
        return str((lease or {}).get("spec", {}).get("holderIdentity", "")).partition("_")[0]

    async def put(self, version: int) -> None:
        """A rule that every proxy of the mesh gets to know as a new cluster."""
        policy = {"connectionPool": {"tcp": {"maxConnections": version}}}
        spec = {"host": f"web.{self.system}.svc.cluster.local", "trafficPolicy": policy}
        metadata = {"name": "web", "namespace": self.system}
        await self.api.apply({"apiVersion": _API, "kind": "DestinationRule", "metadata": metadata, "spec": spec})

    async def reconciled(self) -> tuple[int, str, str, str]:
        """The condition: generation, status, reason, message."""
        found = await self.api.get(_API, "DestinationRule", "web", self.system)
        for condition in (found or {}).get("status", {}).get("conditions", []):
            if condition["type"] == "Reconciled":
                texts = condition["status"], condition["reason"], condition["message"]
                return int(condition["observedGeneration"]), *texts
        return 0, "", "", ""

    async def until(self, generation: int, status: str, reason: str) -> str:
        """Wait for the condition; gives its message."""

        async def holds() -> bool:
            return (await self.reconciled())[:3] == (generation, status, reason)

        await eventually(holds, within_s=20)
        return (await self.reconciled())[3]

    def stream(self, name: str, client: DeltaClient) -> AdsStream:
        """A proxy of a replica."""
        return AdsStream(f"{_ADDRESSES[name]}:{self.xds_port}", client, node=node_of(f"{name}-proxy", self.system))


def _objects(system: str) -> list[Json]:
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": system} for name in _ADDRESSES]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    mesh = f"discoverySelectors: [{{matchLabels: {{kubernetes.io/metadata.name: {system}}}}}]"
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": system},
            "roleRef": role,
            "subjects": subjects,
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "istio", "namespace": system},
            "data": {"mesh": mesh},
        },
        service("web", system),
    ]


def _pod(name: str, system: str, *, ready: bool = True) -> Json:
    return replica_pod(name, system, _ADDRESSES[name], ready=ready)


async def _start(mesh: Mesh, name: str, folder: Path) -> AbstractAsyncContextManager[Program]:
    token = await mesh.api.token_for(mesh.system, name)
    kubeconfig = mesh.api.write_kubeconfig(folder / f"{name}.yaml", token)
    address = _ADDRESSES[name]
    argv = (
        *(sys.executable, "-m", "discovery", "discovery", "--kubeconfig", str(kubeconfig)),
        *("--namespace", mesh.system, "--monitoringAddr", f"{address}:0", "--httpAddr", "", "--httpsAddr", ""),
        *("--grpcAddr", f"{address}:{mesh.xds_port}", "--secureGRPCAddr", f"{address}:{mesh.secure_port}"),
    )
    environ = {"POD_NAME": name, "ROOT_CA_DIR": str(folder / "none"), "ENVOY_BINARY_PATH": str(envoy_binary())}
    return program(name, argv, cwd=folder, env=environ)


@pytest.fixture
async def mesh(kube_api: KubeApi, tmp_path: Path) -> AsyncIterator[Mesh]:
    """Two replicas, ready, of which one leads and knows the other."""
    await kube_api.apply(*crds("destinationrules"))
    xds_port, secure_port = free_ports(2)
    made = Mesh(kube_api, await kube_api.new_namespace(), (xds_port, secure_port))
    binding, *objects = _objects(made.system)
    await kube_api.apply(binding, *objects)
    async with AsyncExitStack() as stack:
        for name in _ADDRESSES:
            made.replicas[name] = await stack.enter_async_context(await _start(made, name, tmp_path))
        for name, replica in made.replicas.items():
            await replica.said(r"^\[info\s*\] ready\b")
            await kube_api.apply(_pod(name, made.system))
            await kube_api.set_status(_pod(name, made.system))

        async def led() -> bool:
            return bool(await made.leader())

        await eventually(led)
        [other] = [name for name in _ADDRESSES if name != await made.leader()]
        await made.replicas[await made.leader()].said(rf"replica answers\s.*replica={other}")
        yield made
    await kube_api.delete(binding)


async def test_object_is_reconciled_when_the_other_replicas_proxy_has_acknowledged_it(mesh: Mesh) -> None:
    """And rejected when that one rejects it, with its words; and well when it takes the next."""
    [other] = [name for name in _ADDRESSES if name != await mesh.leader()]
    await mesh.put(1)
    await mesh.until(1, "True", "Acknowledged")
    proxy = SlowProxy()
    async with mesh.stream(other, proxy) as stream:
        await stream.send(proxy.subscribe(CLUSTER))
        await stream.until(lambda: bool(proxy.held.get(CLUSTER)))
        proxy.slow = True
        await mesh.put(2)
        await stream.until(lambda: bool(proxy.kept))
        await mesh.until(2, "False", "Pending")
        await stream.send(*proxy.answers())
        await mesh.until(2, "True", "Acknowledged")
        proxy.slow = True
        await mesh.put(3)
        await stream.until(lambda: bool(proxy.kept))
        await stream.send(*proxy.answers(error="no such thing"))
        message = await mesh.until(3, "False", "Rejected")
        assert message.startswith(f"{other}-proxy.{mesh.system} rejected CDS outbound|80||web.{mesh.system}")
        assert message.endswith("no such thing")
        await mesh.put(4)
        await mesh.until(4, "True", "Acknowledged")


async def test_replica_that_stands_still_leaves_it_unknown(mesh: Mesh) -> None:
    """It is ready as far as anybody knows, so its proxies count; once it is not, they are on their way to others."""
    leader = await mesh.leader()
    [other] = [name for name in _ADDRESSES if name != leader]
    mesh.replicas[other].signal(signal.SIGKILL)
    await mesh.replicas[leader].said(rf"replica cannot be asked\s.*replica={other}")
    await mesh.put(1)
    message = await mesh.until(1, "Unknown", "ReplicaUnheard")
    assert f"{other}: UNAVAILABLE: " in message
    await mesh.api.set_status(_pod(other, mesh.system, ready=False))
    await mesh.until(1, "True", "Acknowledged")
