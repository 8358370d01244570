"""``python -m benchmarks.kube_source``: a cluster as the source: the start, and what one EndpointSlice event costs.

The API server is the real one of ``make test-kube`` (or, with ``--api double``, that of the tests in a process of its
own). It is filled with Services, their EndpointSlices and the Pods behind these; then the control plane is started on
it as a user would, and one sidecar holds everything while slices are edited one after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from benchmarks.accounting import usage
from benchmarks.cluster import running_cluster
from benchmarks.processes import PILOT_DISCOVERY_CLUSTER, MeasuringError, Process, Server
from benchmarks.report import render_table, write_results
from benchmarks.rows import Row, row
from discovery.kube.client import KubeClient, PatchKind, connect
from discovery.kube.config import KubeConfig
from discovery.kube.errors import AlreadyExistsError
from discovery.kube.resources import Resource
from discovery.wire.type_urls import CLUSTER, ENDPOINT
from tests.kit.eventually import eventually
from tests.kit.xds_clients import DeltaClient
from tests.kit.xds_live import AdsStream, node_of

__all__ = ["Size", "main", "measure_cluster_source"]

_CRDS: Final = Path(__file__).resolve().parents[1] / "charts/base/files/crds"
_NAMESPACE: Final = "bench"
_DEFINITIONS: Final = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
_NAMESPACES: Final = Resource("", "v1", "namespaces", namespaced=False)
_NODES: Final = Resource("", "v1", "nodes", namespaced=False)
_PODS: Final = Resource("", "v1", "pods")
_SERVICES: Final = Resource("", "v1", "services")
_SLICES: Final = Resource("discovery.k8s.io", "v1", "endpointslices")
_AT_ONCE: Final = 16
_POD_IPS: Final = IPv4Address("10.128.0.1")


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large the cluster is. Each Service has one slice; its endpoints are spread over the Pods."""

    services: int = 2000
    endpoints: int = 10
    pods: int = 5000
    nodes: int = 50
    edits: int = 50

    def title(self) -> str:
        """As rows name it."""
        return f"{self.services} services, {self.services * self.endpoints} endpoints, {self.pods} pods"


def _pod(number: int, size: Size) -> dict[str, Any]:
    """As small as kubectl would write it for an injected application; real ones are larger by their volumes."""
    labels = {"app": f"svc-{number % size.services}", "security.istio.io/tlsMode": "istio", "pod-template-hash": "5d9c"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"pod-{number}", "namespace": _NAMESPACE, "labels": labels},
        "spec": {
            "nodeName": f"node-{number % size.nodes}",
            "containers": [
                {
                    "name": name,
                    "image": "example.org/app:1",
                    "env": [{"name": f"KEY_{i}", "value": "x" * 20} for i in range(10)],
                }
                for name in ("app", "istio-proxy")
            ],
        },
    }


def _pod_status(number: int) -> dict[str, Any]:
    address = str(_POD_IPS + number)
    ready = [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")]
    return {"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": ready}}


def _service(number: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"svc-{number}", "namespace": _NAMESPACE, "labels": {"app": f"svc-{number}"}},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    }


def _slice(number: int, size: Size, edition: int = 0) -> dict[str, Any]:
    """The endpoints of a service; each edition turns the readiness of the first one."""
    endpoints = []
    for index in range(size.endpoints):
        pod = (number * size.endpoints + index) % size.pods
        ready = not (index == 0 and edition % 2)
        endpoints.append(
            {
                "addresses": [str(_POD_IPS + pod)],
                "conditions": {"ready": ready, "serving": ready, "terminating": False},
                "nodeName": f"node-{pod % size.nodes}",
                "targetRef": {"kind": "Pod", "name": f"pod-{pod}", "namespace": _NAMESPACE},
            }
        )
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"svc-{number}-1",
            "namespace": _NAMESPACE,
            "labels": {"kubernetes.io/service-name": f"svc-{number}"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": endpoints,
    }


async def _all(count: int, make: Callable[[int], Awaitable[object]]) -> None:
    """Make so many, some at once."""
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await make(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(worker())


async def _fill(client: KubeClient, size: Size) -> None:
    for path in sorted(_CRDS.glob("*.yaml")):
        await _create(client, _DEFINITIONS.collection(), yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader))
    for name in ("istio-system", _NAMESPACE):
        await _create(client, _NAMESPACES.collection(), {"metadata": {"name": name}})
    await _create(client, f"{_NAMESPACES.collection()}/{_NAMESPACE}/serviceaccounts", {"metadata": {"name": "default"}})
    zones = [f"zone-{number % 3}" for number in range(size.nodes)]
    for number, zone in enumerate(zones):
        labels = {"topology.kubernetes.io/zone": zone, "topology.kubernetes.io/region": "region"}
        await _create(client, _NODES.collection(), {"metadata": {"name": f"node-{number}", "labels": labels}})

    async def pod(number: int) -> None:
        made = _pod(number, size)
        await _create(client, _PODS.collection(_NAMESPACE), made)
        path = _PODS.object(_NAMESPACE, made["metadata"]["name"], "status")
        await client.patch(path, msgspec.json.encode(_pod_status(number)), PatchKind.MERGE)

    await _all(size.pods, pod)
    await _all(size.services, lambda n: _create(client, _SERVICES.collection(_NAMESPACE), _service(n)))
    await _all(size.services, lambda n: _create(client, _SLICES.collection(_NAMESPACE), _slice(n, size)))


async def _create(client: KubeClient, path: str, document: dict[str, Any]) -> None:
    with suppress(AlreadyExistsError):  # the default service account: a controller may have been quicker
        await client.create(path, msgspec.json.encode(document))


async def measure_cluster_source(kubeconfig: Path, size: Size, log: Path) -> Iterator[Row]:
    """Fill the cluster, then start on it and edit it."""
    client = await connect(KubeConfig(kubeconfig=str(kubeconfig), qps=0, timeout_s=60))
    try:
        begun = time.perf_counter()
        await _fill(client, size)
        print(f"filled in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
        return iter(await _measure(client, kubeconfig, size, log))
    finally:
        await client.close()


async def _measure(client: KubeClient, kubeconfig: Path, size: Size, log: Path) -> list[Row]:
    started = time.perf_counter()
    async with Server(PILOT_DISCOVERY_CLUSTER, Path(), log, kubeconfig=kubeconfig) as server:
        ready_s = time.perf_counter() - started
        await server.rest()
        at_start = server.usage()
        scenario = size.title()
        rows = [
            row("kube_start_to_ready", scenario, ready_s, "s"),
            row("kube_start_cpu", scenario, at_start.cpu_s, "s"),
            row("kube_start_rss", scenario, at_start.rss_mb, "MB"),
            row("kube_start_peak_rss", scenario, at_start.peak_rss_mb, "MB"),
        ]
        idle = server.usage().cpu_s
        await asyncio.sleep(5)
        rows.append(row("kube_idle_cpu_of_5_s", scenario, server.usage().cpu_s - idle, "s"))
        return [*rows, *await _edits(client, server, size)]


class _Changed:
    """Whether a sidecar holds another load assignment than at first."""

    def __init__(self, sidecar: DeltaClient, name: str) -> None:
        self._sidecar = sidecar
        self._name = name
        self._before = sidecar.held[ENDPOINT][name]

    def __call__(self) -> bool:
        return self._sidecar.held[ENDPOINT][self._name] != self._before


async def _edits(client: KubeClient, server: Server, size: Size) -> list[Row]:
    """One slice after the other; from just before the request to the response at the sidecar."""
    sidecar = DeltaClient()
    names = [f"outbound|80||svc-{number}.{_NAMESPACE}.svc.cluster.local" for number in range(size.services)]
    scenario = size.title()
    async with AdsStream(server.address, sidecar, node=node_of("web-0", _NAMESPACE)) as stream:
        await stream.send(sidecar.subscribe(CLUSTER), sidecar.subscribe(ENDPOINT, names))
        await stream.until(lambda: len(sidecar.values(ENDPOINT)) == size.services, within_s=120)
        await server.rest()
        rss = server.usage().rss_mb
        sidecar.responses.clear()
        before = usage(server.process.pid, children=False).cpu_s
        delays: list[float] = []
        for number in range(size.edits):
            changed = _Changed(sidecar, names[number])
            at = time.perf_counter()
            body = msgspec.json.encode(_slice(number, size, edition=1))
            await client.replace(_SLICES.object(_NAMESPACE, f"svc-{number}-1"), body)
            await stream.until(changed)
            delays.append((time.perf_counter() - at) * 1e3)
        await server.rest()
        spent_ms = (usage(server.process.pid, children=False).cpu_s - before) * 1e3
        if len(sidecar.responses) != size.edits:
            raise MeasuringError(f"{size.edits} edits gave {len(sidecar.responses)} responses, want one each")
    return [
        row("kube_rss_with_1_sidecar", scenario, rss, "MB"),
        row("kube_slice_event_cpu", scenario, spent_ms / size.edits, "ms"),
        row("kube_slice_event_delay_median", scenario, statistics.median(delays), "ms"),
        row("kube_slice_event_delay_worst", scenario, max(delays), "ms"),
    ]


@asynccontextmanager
async def _api(kind: str, folder: Path) -> AsyncIterator[tuple[Path, str]]:
    """A kubeconfig, and what serves it."""
    if kind == "real":
        with running_cluster() as cluster:
            yield cluster.kubeconfig, f"kube-apiserver {cluster.version}"
        return
    kubeconfig = folder / "kubeconfig"
    command = [sys.executable, "-m", "tests.kit.kube_api", "--kubeconfig", str(kubeconfig)]
    async with Process(command, folder / "api.log"):
        await eventually(kubeconfig.exists, within_s=30)
        yield kubeconfig, "test double"


async def _run(arguments: argparse.Namespace) -> None:
    size = Size(services=arguments.services, pods=arguments.pods, edits=arguments.edits)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with _api(arguments.api, folder) as (kubeconfig, api):
            rows = list(await measure_cluster_source(kubeconfig, size, folder / "server.log"))
    print(render_table(rows))
    if arguments.out is not None:
        write_results(arguments.out, rows, {"api_server": api, "mesh": size.title()})


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kube_source", description=__doc__)
    parser.add_argument("--api", choices=("real", "double"), default="real")
    parser.add_argument("--services", type=int, default=2000)
    parser.add_argument("--pods", type=int, default=5000)
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "kube_source.json")
    asyncio.run(_run(parser.parse_args(argv)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
