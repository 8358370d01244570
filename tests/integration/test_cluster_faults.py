"""Faults of the API server under a running control plane: no object lost, no push twice, last good served."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import structlog

from discovery.app import run_discovery
from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from discovery.runtime.logs import Logger, configure_logging
from discovery.settings import FLAGS, load_settings
from discovery.wire.type_urls import CLUSTER, ENDPOINT
from tests.kit.eventually import eventually
from tests.kit.faulty_way import FaultyWay
from tests.kit.free_ports import free_port
from tests.kit.kube_api.errors import internal
from tests.kit.kube_api.faults import Faults
from tests.kit.kube_api.handle import Json, KubeApi
from tests.kit.kube_cluster import crds, endpoint_slice, pod, service
from tests.kit.xds_clients import DeltaClient
from tests.kit.xds_live import AdsStream
from tests.kube.fixture import REAL

pytestmark = pytest.mark.kube

SERVICES = 5


class World:
    """An API server with some services, and what goes wrong between it and the control plane.

    The double does it by itself; the real server has a way to it on which things go wrong.
    """

    def __init__(self, api: KubeApi, way: KubeApi | FaultyWay, system: str, shop: str) -> None:
        self.api = api
        self.faults = way.faults if isinstance(way, KubeApi) else way
        self.requests = way.requests
        self.kubeconfig = way.kubeconfig
        self.system = system
        self.shop = shop

    def cluster(self, number: int) -> str:
        return f"outbound|80||web-{number}.{self.shop}.svc.cluster.local"

    def service(self, number: int) -> Json:
        # Without a selector no controller makes slices beside ours.
        return service(f"web-{number}", self.shop, selector=None)

    async def put_service(self, number: int) -> None:
        await self.api.apply(self.service(number))

    async def put_endpoints(self, number: int, *last: int) -> None:
        """One Pod, with addresses that end so."""
        addresses = {f"10.1.{number}.{part}": f"web-{number}-0" for part in last}
        await self.api.apply(endpoint_slice(f"web-{number}", self.shop, addresses))


Fault = Callable[[World], Awaitable[None]]


@pytest.fixture(autouse=True)
def logging_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The program sets up logging of the whole process; the next test finds it as it was."""
    monkeypatch.setattr(Logger, "backend", Logger.__dict__["backend"])
    configure_logging()
    yield
    structlog.reset_defaults()


class Plane:
    """A control plane on that way, and a client that counts what it is sent."""

    def __init__(self, world: World, grpc_port: int, http_port: int) -> None:
        self._world = world
        self.target = f"127.0.0.1:{grpc_port}"
        self.http_port = http_port
        self.client = DeltaClient()
        self.stream = AdsStream(self.target, self.client)

    def forget(self) -> None:
        """Count from now on."""
        self.client.responses.clear()

    @property
    def sent(self) -> Counter[str]:
        """How often each resource was sent since then; a removal counts under its name with a minus."""
        found: Counter[str] = Counter()
        for response in self.client.responses:
            short = response.type_url.rpartition(".")[2]
            found.update(f"{short} {entry.name}" for entry in response.resources)
            found.update(f"-{short} {name}" for name in response.removed_resources)
        return found

    def addresses(self, number: int) -> bytes:
        """The load assignment of a service as it is held."""
        return self.client.values(ENDPOINT).get(self._world.cluster(number), b"")

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.stream.until(condition)

    async def metrics(self) -> str:
        return (await fetch(TcpTarget("127.0.0.1", self.http_port), "/metrics", timeout_s=5)).body.decode()

    async def is_stale(self) -> bool:
        """Whether it says that it does not hear of changes of Services."""
        return 'pilot_k8s_watch_stale{type="Service"} 1.0' in await self.metrics()

    async def is_ready(self) -> bool:
        try:
            return (await fetch(TcpTarget("127.0.0.1", self.http_port), "/ready", timeout_s=5)).status == 200
        except HttpClientError:
            return False


@asynccontextmanager
async def running(world: World) -> AsyncIterator[Plane]:
    """A control plane that has read the cluster, and a client that holds all of it."""
    grpc_port, http_port = free_port(), free_port()
    flags = {flag.field: flag.default for flag in FLAGS} | {
        "kubeconfig": str(world.kubeconfig),
        "namespace": world.system,
        "meshConfig": "/no/such/mesh",
        "grpcAddr": f"127.0.0.1:{grpc_port}",
        "monitoringAddr": f"127.0.0.1:{http_port}",
        "secureGRPCAddr": "",
        "httpAddr": "",
        "httpsAddr": "",
    }
    plane = Plane(world, grpc_port, http_port)
    async with asyncio.TaskGroup() as group:
        environ = {"PILOT_DEBOUNCE_AFTER": "20ms", "ISTIO_WATCH_NAMESPACE": world.shop}
        task = group.create_task(run_discovery(load_settings(flags, environ)))
        await eventually(plane.is_ready, within_s=30)
        async with plane.stream:
            names = [world.cluster(number) for number in range(SERVICES + 5)]
            await plane.stream.send(plane.client.subscribe(CLUSTER), plane.client.subscribe(ENDPOINT, names))
            await plane.until(lambda: all(plane.addresses(number) for number in range(SERVICES)))
            plane.forget()
            yield plane
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await task == 0


@pytest.fixture
async def world(kube_api: KubeApi, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """Some services with a pod each, and a CRD."""
    system, shop = await kube_api.new_namespace(), await kube_api.new_namespace()
    await kube_api.apply(*crds("workloadgroups"))
    async with AsyncExitStack() as stack:
        way: KubeApi | FaultyWay = kube_api
        if request.config.getoption("--kube") == REAL:
            way = await stack.enter_async_context(FaultyWay(kube_api, tmp_path))
        made = World(kube_api, way, system, shop)
        for number in range(SERVICES):
            behind = pod(f"web-{number}-0", shop, f"10.1.{number}.1", app=f"web-{number}")
            await kube_api.apply(behind)
            await kube_api.set_status(behind)
            await made.put_service(number)
            await made.put_endpoints(number, 1)
        yield made


async def cut(world: World) -> None:
    assert world.faults.cut_watches() > 5


async def cut_mid_object(world: World) -> None:
    assert world.faults.cut_watches(mid_object=True) > 5


async def end(world: World) -> None:
    assert world.faults.end_watches() > 5


async def gone_in_band(world: World) -> None:
    assert world.faults.gone_watches() > 5


async def gone_when_resumed(world: World) -> None:
    if isinstance(world.faults, Faults):
        world.faults.compact()
    world.faults.gone_on_next_watch("endpointslices", times=2)
    world.faults.cut_watches()


async def throttled(world: World) -> None:
    for plural in ("services", "endpointslices"):
        world.faults.throttle(2, plural, retry_after_s=0)
    world.faults.cut_watches("services")
    world.faults.cut_watches("endpointslices")
    await eventually(lambda: sum(call.status == 429 for call in world.requests) == 4)


async def failing(world: World) -> None:
    for plural in ("services", "endpointslices"):
        world.faults.refuse(internal("injected"), 3, plural, "list", "watch")
    world.faults.gone_watches("services")
    world.faults.cut_watches("endpointslices")
    await eventually(lambda: sum(call.status == 500 for call in world.requests) == 6)


async def old_server(world: World) -> None:
    world.faults.watch_list_refused = True
    world.faults.gone_watches()


async def clock_jumps(world: World) -> None:
    assert isinstance(world.faults, Faults)
    world.faults.jump_clock(86400)
    world.faults.cut_watches()
    world.faults.jump_clock(-2 * 86400)


async def restart(world: World) -> None:
    await world.faults.restart()


FAULTS: list[Fault] = [
    cut,
    cut_mid_object,
    end,
    gone_in_band,
    gone_when_resumed,
    throttled,
    failing,
    old_server,
    restart,
]


@pytest.mark.parametrize(
    "fault",
    [*FAULTS, pytest.param(clock_jumps, marks=pytest.mark.kube_double)],
    ids=lambda fault: fault.__name__,
)
async def test_a_fault_loses_nothing_and_pushes_nothing_twice(world: World, fault: Fault) -> None:
    """Changes from before, within and after the fault arrive, each once; what did not change is not sent again."""
    async with running(world) as plane:
        await world.put_endpoints(0, 1, 9)
        await plane.until(lambda: b"10.1.0.9" in plane.addresses(0))
        await fault(world)
        await world.put_endpoints(1, 1, 9)
        await world.api.delete(world.service(2))
        await world.put_service(7)
        await plane.until(lambda: b"10.1.1.9" in plane.addresses(1))
        await plane.until(lambda: {world.cluster(7)} <= plane.client.values(CLUSTER).keys())
        await plane.until(lambda: world.cluster(2) not in plane.client.values(CLUSTER))
        await world.put_endpoints(3, 1, 9)
        await plane.until(lambda: b"10.1.3.9" in plane.addresses(3))
        assert b"10.1.0.9" in plane.addresses(0)
        assert b"10.1.4.1" in plane.addresses(4)
        wanted = Counter(f"ClusterLoadAssignment {world.cluster(number)}" for number in (0, 1, 3))
        wanted.update([f"Cluster {world.cluster(7)}", f"-Cluster {world.cluster(2)}"])
        asked = {f"{sign}ClusterLoadAssignment {world.cluster(number)}" for sign in ("", "-") for number in (2, 7)}
        assert Counter({name: count for name, count in plane.sent.items() if name not in asked}) == wanted
        # The assignments of what came and went. The client asked for the new one before there was its cluster; after a
        # cluster its assignment is always sent, for Envoy waits for that.
        assert {
            name: plane.sent[name] for name in asked if plane.sent[name] > 1 + name.endswith(world.cluster(7))
        } == {}


async def test_last_good_is_served_while_the_api_server_is_away(world: World) -> None:
    """Also to a proxy that comes only then; when it is back, what changed meanwhile arrives and nothing else."""
    async with running(world) as plane:
        await world.faults.stop()
        await eventually(plane.is_stale)
        late = DeltaClient()
        async with AdsStream(plane.target, late) as stream:
            await stream.send(late.subscribe(CLUSTER))
            await stream.until(lambda: world.cluster(4) in late.values(CLUSTER))
        assert late.values(CLUSTER) == plane.client.values(CLUSTER)
        assert await plane.is_ready()
        await world.faults.restart()
        await world.put_service(7)
        await plane.until(lambda: world.cluster(7) in plane.client.values(CLUSTER))
        assert 'pilot_k8s_reg_events{event="add",type="Service"}' in await plane.metrics()
        assert {name for name in plane.sent if name.startswith(("Cluster ", "-Cluster "))} == {
            f"Cluster {world.cluster(7)}"
        }


async def test_a_crd_that_is_removed_and_added_again_pushes_nothing_else(world: World) -> None:
    """Services do not notice; nor does a proxy."""
    (definition,) = crds("workloadgroups")
    async with running(world) as plane:
        await world.api.delete(definition)
        await world.api.until_gone(definition)
        await world.api.apply(definition)
        await world.put_endpoints(0, 1, 9)
        await plane.until(lambda: b"10.1.0.9" in plane.addresses(0))
        assert plane.sent == {f"ClusterLoadAssignment {world.cluster(0)}": 1}


async def test_an_api_server_that_answers_late_is_waited_for(world: World) -> None:
    """The mesh configuration is asked for again and again: its defaults could be another mesh's trust domain."""
    world.faults.refuse(internal("injected"), 2, "configmaps", "get")
    async with running(world) as plane:
        assert plane.addresses(0)
    assert [call.status for call in world.requests if call.resource == "configmaps" and call.verb == "get"] == [
        500,
        500,
        404,
    ]
