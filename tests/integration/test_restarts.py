"""Restarts under load: what callers see when instances are restarted one by one, and when processes are killed.

Three instances of a workload, each with its agent and Envoy, are called through the caller's own sidecar.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from discovery.runtime.http_client import HttpClientError
from tests.kit.eventually import eventually
from tests.kit.free_ports import free_ports
from tests.kit.live import LiveDiscovery, beside, until
from tests.kit.live_agent import LiveAgent
from tests.kit.live_backend import Backend, call, serving_backend
from tests.kit.live_load import Load
from tests.kit.live_mesh import SecureMesh, Workload

pytestmark = [pytest.mark.envoy]

CASES = Path(__file__).parent / "cases"
RATE = 200
REQUESTS = 2000
TAKES_S = 0.02  # so that some requests are always under way
LATE = 10  # requests that leave while the victim dies, 5 ms apart
CUT = "503 upstream connect error or disconnect/reset before headers. reset reason: connection termination"
DRAIN = {"terminationDrainDuration": "2s"}


class Instance:
    """One of the three: its application, and its agent with Envoy while they run."""

    def __init__(self, mesh: SecureMesh, discovery: LiveDiscovery, name: str, ip: str, port: int) -> None:
        self.place: Workload = mesh.workload(name, ip=ip, account="api", app="api")
        self._discovery = discovery
        self._address = (ip, port)
        self._life = AsyncExitStack()
        self.agent: LiveAgent
        self.backend: Backend

    async def start(self) -> None:
        """Return once it is ready."""
        host, port = self._address
        self.backend = await self._life.enter_async_context(serving_backend(self.place.name, host=host, port=port))
        self.backend.delay(TAKES_S)
        self.agent = await self._life.enter_async_context(self.place.running(self._discovery, config=DRAIN))
        await self.agent.until("/healthz/ready", 200)

    async def stop(self) -> None:
        """As systemd stops a unit: SIGTERM, and the application after its sidecar."""
        self.agent.signal(signal.SIGTERM)
        assert (await self.agent.wait()).code == 0
        await self.gone()

    async def gone(self) -> None:
        """Release what is left."""
        await self._life.aclose()


class Shop:
    """All that runs."""

    def __init__(self, caller: LiveAgent, instances: list[Instance], load: Load) -> None:
        self.caller = caller
        self.instances = instances
        self.load = load


@asynccontextmanager
async def shop(directory: Path) -> AsyncIterator[Shop]:
    """Three instances that serve, and nobody calling yet."""
    port_in, port_out, port_app = free_ports(3)
    text = (CASES / "three-instances.yaml").read_text(encoding="utf-8")
    for name, port in (("PORT_IN", port_in), ("PORT_OUT", port_out), ("PORT_APP", port_app)):
        text = text.replace(name, str(port))
    mesh = SecureMesh(directory, text)
    out, host = ("127.0.0.70", port_out), f"api.default.svc.cluster.local:{port_out}"
    async with AsyncExitStack() as stack:
        discovery = await stack.enter_async_context(mesh.discovery())
        caller = await stack.enter_async_context(mesh.workload("caller", ip="127.0.0.70").running(discovery))
        instances = [Instance(mesh, discovery, f"api-{number}", f"127.0.0.7{number}", port_app) for number in (1, 2, 3)]
        for instance in instances:
            stack.push_async_callback(instance.gone)
            await instance.start()
        await caller.until("/healthz/ready", 200)

        async def answered() -> bool:
            return (await call(out, host=host)).status == 200

        await until(answered, lambda: caller.text[-3000:])
        yield Shop(caller, instances, Load(out, host=host, rate=RATE))


async def served_by(instance: Instance, load: Load) -> None:
    """Return once callers' requests arrive at it."""
    name = instance.place.name
    before = load.by_answer.get(name, 0)
    await until(lambda: load.by_answer.get(name, 0) > before, lambda: f"{name} in use; {load.by_answer}")


@pytest.mark.timeout(180)
async def test_rolling_restart(tmp_path: Path) -> None:
    """Three restarts, one after the other, under 200 requests a second: not one of at least 2000 fails."""
    async with shop(tmp_path) as running:
        load = running.load
        async with beside(load.run()):
            await load.more(RATE)
            for instance in running.instances:
                await instance.stop()
                await load.more(RATE // 2)
                await instance.start()
                await served_by(instance, load)
            while load.done < REQUESTS:
                await load.more(RATE)
        assert not load.failures, (load.failures[:5], len(load.failures), load.done)


async def kill(agent: LiveAgent, victims: str) -> None:
    """SIGKILL, to the one or to both."""
    if victims != "agent":
        os.kill(await agent.envoy_pid(), signal.SIGKILL)
    if victims != "envoy":
        agent.signal(signal.SIGKILL)


@pytest.mark.timeout(180)
async def test_killed_under_load(tmp_path: Path) -> None:
    """Agent, Envoy, or both: requests under way there are cut, later ones go elsewhere; a restart brings it back.

    Either never outlives the other, for a listener without an agent would serve with certificates nobody renews.
    """
    async with shop(tmp_path) as running:
        load = running.load
        async with beside(load.run()):
            for victims, instance in zip(("agent", "envoy", "both"), running.instances, strict=True):
                await load.more(RATE // 2)
                load.failures.clear()
                under_way, sent = load.open, load.sent
                await kill(instance.agent, victims)
                ended = await instance.agent.wait()
                assert (ended.code == 0) if victims == "envoy" else (ended.signal == signal.SIGKILL), ended
                await instance.gone()
                await load.more(RATE // 2)
                assert len(load.failures) <= under_way + LATE, (victims, under_way, load.failures)
                assert all(failure.number < sent + LATE for failure in load.failures), (victims, sent, load.failures)
                assert all(CUT in failure.reason for failure in load.failures), (victims, load.failures)
                await instance.start()
                await served_by(instance, load)
        await kill(running.caller, "agent")

        async def refused() -> bool:
            try:
                await load.once()
            except HttpClientError as error:
                return "Connection refused" in str(error)
            return False

        await eventually(refused)
