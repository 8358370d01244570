"""A virtual machine from its installation to its end, by the steps of the documentation, with real packets."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import dns.message
import msgspec
import pytest

from tests.kit.clean_root import clean_root, why_no_roots
from tests.kit.doc_steps import DocStep, doc_steps
from tests.kit.live import Program, inherited_environment, program, until
from tests.kit.machine import Machine
from tests.kit.netns import Namespace
from tests.kit.switch import switched
from tests.kit.vm_packages import built_packages

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = _ROOT / "docs/vm.md"
_CLUSTER = "outbound|80||inventory.shop.svc.cluster.local"
_URL = "http://inventory.shop.svc.cluster.local/"
# The pod that calls the machine and is called by it.
_ORDERS = """
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop}
spec: {clusterIP: 10.96.0.10, selector: {app: orders}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: orders-1, namespace: shop, labels: {kubernetes.io/service-name: orders}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.90.0.3], targetRef: {kind: Pod, name: orders-0, namespace: shop}}]
---
apiVersion: v1
kind: Pod
metadata: {name: orders-0, namespace: shop, labels: {app: orders, security.istio.io/tlsMode: istio}}
spec: {serviceAccountName: orders, containers: []}
status: {podIP: 10.90.0.3}
"""

pytestmark = [
    pytest.mark.root,
    pytest.mark.envoy,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(why_no_roots()), reason=why_no_roots()),
]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the documentation is carried out."""

    directory: Path
    control: Namespace
    machine: Machine
    pod: Machine
    steps: tuple[DocStep, ...]

    def text(self, purpose: str) -> str:
        (found,) = (step.text for step in self.steps if step.purpose == purpose)
        return found

    def at_control_plane(self, script: str) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.control.name, "sh", "-eu", "-c", script)

    @property
    def environ(self) -> Mapping[str, str]:
        own = inherited_environment()
        path = f"{Path(sys.executable).parent}:{own['PATH']}"
        return {**own, "PATH": path, "PILOT_WORKLOAD_ENTRY_GRACE_PERIOD": "2s"}

    def tool(self, script: str) -> str:
        """Run a script where the control plane is."""
        done = subprocess.run(
            self.at_control_plane(script),
            cwd=self.directory,
            env=dict(self.environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def token(self, namespace: str, account: str) -> str:
        return self.tool(f"pilotctl x dev-token state/tokens {namespace} {account}").strip()

    async def debug(self, path: str) -> Any:
        """What the control plane says of itself."""
        token = await asyncio.to_thread(self.token, "istio-system", "reader")
        ask = f"curl -s -H 'authorization: Bearer {token}' http://10.90.0.1:15014/debug/{path}"
        return json.loads(await asyncio.to_thread(self.tool, ask))

    async def entries(self) -> list[dict[str, Any]]:
        """WorkloadEntries that the control plane has."""
        return [obj for obj in await self.debug("configz") if obj["kind"] == "WorkloadEntry"]


_ADDRESSES = {"control": ("10.90.0.1",), "machine": ("10.90.0.2",), "pod": ("10.90.0.3",)}


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Namespaces on a switch, a clean root for the machine and one for the pod, and what the page writes down."""
    steps = doc_steps(_PAGE)
    (tmp_path / "config").mkdir()
    for step in steps:
        if step.language == "yaml":
            (tmp_path / step.purpose).write_text(step.text, encoding="utf-8")
    (tmp_path / "config/orders.yaml").write_text(_ORDERS, encoding="utf-8")
    with ExitStack() as stack:
        spaces = stack.enter_context(switched(getattr(request, "param", _ADDRESSES)))
        machines = []
        for name, space in (("inventory", "machine"), ("orders", "pod")):
            root = stack.enter_context(clean_root(tmp_path / space))
            machines.append(Machine(name, root, spaces[space]))
            machines[-1].prepare(built_packages("deb"))
        yield Place(directory=tmp_path, control=spaces["control"], machine=machines[0], pod=machines[1], steps=steps)


@asynccontextmanager
async def control_plane(place: Place) -> AsyncIterator[Program]:
    script = f"exec {place.text('control-plane, stays')}"
    argv = place.at_control_plane(script)
    async with program("control plane", argv, cwd=place.directory, env=place.environ) as running:
        await running.said("ready")
        yield running


@asynccontextmanager
async def installed(place: Place) -> AsyncIterator[Program]:
    """The machine after the page's steps; what systemd does is done here."""
    place.tool(place.text("control-plane"))
    shutil.copytree(place.directory / "files", place.machine.root.file("/root/files"))
    *before, last = place.text("machine").strip().splitlines()
    for line in before:
        place.machine.run("sh", "-eu", "-c", f"cd /root; {line}")
    assert last == "systemctl enable --now pilot-agent"
    async with place.machine.as_init() as agent:
        yield agent


@asynccontextmanager
async def pod(place: Place) -> AsyncIterator[Program]:
    place.pod.run("sh", "-c", "dpkg -i /root/packages/*.deb")
    async with place.pod.as_pod(
        account="orders",
        token=place.token("shop", "orders"),
        root_cert=(place.directory / "state/ca/root-cert.pem").read_bytes(),
        istiod="10.90.0.1",
    ) as agent:
        yield agent


async def reached(caller: Machine, url: str, *agents: Program) -> str:
    """What the application gets once the mesh lets it through."""

    async def answered() -> str:
        status, body = await caller.call(url)
        return body if status == 200 else ""

    found: str = await until(answered, lambda: "\n".join(agent.text[-4000:] for agent in agents), within_s=60)
    return found


async def leaves_endpoints(place: Place, *, within_s: float) -> float:
    """Seconds until the pod's Envoy has no endpoint of the machine."""
    clock = asyncio.get_running_loop()
    began_at = clock.time()

    async def gone() -> bool:
        return await place.pod.endpoints(_CLUSTER) == []

    await until(gone, lambda: "still an endpoint", within_s=within_s)
    return clock.time() - began_at


async def names_are_the_agents(place: Place) -> None:
    """A query of an application is answered by the agent; the agent's own goes to the resolver that it is for."""
    query = dns.message.make_query("orders.shop.svc.cluster.local", "A").to_wire()
    agent = int(place.machine.run("id", "-u", "istio-proxy"))
    with ExitStack() as stack:
        resolver = stack.enter_context(place.control.listen("10.90.0.1", 53, socket.SOCK_DGRAM))
        application = stack.enter_context(place.machine.namespace.open("10.90.0.1", socket.SOCK_DGRAM, uid=1000))
        own = stack.enter_context(place.machine.namespace.open("10.90.0.1", socket.SOCK_DGRAM, uid=agent))
        application.sendto(query, ("10.90.0.1", 53))
        answer, sender = application.recvfrom(512)
        (record,) = dns.message.from_wire(answer).answer
        assert [item.address for item in record] == ["10.96.0.10"]
        assert sender == ("10.90.0.1", 53)
        own.sendto(query, ("10.90.0.1", 53))
        assert resolver.recvfrom(512)[0] == query


async def test_a_machine_joins_serves_falls_ill_recovers_and_leaves(
    place: Place, record_property: Callable[[str, object], None]
) -> None:
    """By the documented steps on a clean root: called by a pod, calling it by name, out and in again, and gone."""
    async with (
        control_plane(place),
        place.machine.application(),
        place.pod.application(),
        pod(place) as pod_agent,
        installed(place) as agent,
    ):
        # Both ways, by name, over captured DNS and mutual TLS.
        said = await reached(place.pod, _URL, agent, pod_agent)
        assert said.startswith("inventory for")
        assert "URI=spiffe://cluster.local/ns/shop/sa/orders" in said
        said = await reached(place.machine, place.text("machine, application").split()[-1], agent, pod_agent)
        assert said.startswith("orders for")
        assert "URI=spiffe://cluster.local/ns/shop/sa/inventory" in said

        (entry,) = await place.entries()
        assert entry["metadata"]["name"] == "inventory-10.90.0.2"
        assert entry["spec"]["serviceAccount"] == "inventory"
        assert [item["status"] for item in entry["status"]["conditions"]] == ["True"]

        # Nothing but the capture rules was root's.
        owner = place.machine.run("stat", "-c", "%U %a", "/etc/certs/key.pem").split()
        assert owner == ["istio-proxy", "600"]
        uids = place.machine.run("ps", "-o", "user=", "-p", str(agent.pid)).split()
        assert uids == ["istio-proxy"]

        await names_are_the_agents(place)

        # The health check fails, and the machine is taken out; it passes again, and is back.
        place.machine.root.write("/srv/ill", "")
        record_property("ill to no endpoint, s", await leaves_endpoints(place, within_s=2))
        assert (await place.pod.call(_URL))[0] == 503
        place.machine.root.file("/srv/ill").unlink()
        assert (await reached(place.pod, _URL, agent)).startswith("inventory for")

        # It leaves: out at once, its entry after the grace period.
        agent.signal(signal.SIGTERM)
        record_property("SIGTERM to no endpoint, s", await leaves_endpoints(place, within_s=2))
        assert (await agent.wait()).clean

        async def forgotten() -> bool:
            return await place.entries() == []

        await until(forgotten, lambda: "the entry is still there", within_s=10)
    assert "ISTIO" not in place.machine.run("iptables-save")


@pytest.mark.parametrize(
    "place", [{name: (own, own.replace("90", "91")) for name, (own,) in _ADDRESSES.items()}], indirect=True
)
@pytest.mark.parametrize(
    "setting", ["PILOT_AGENT_BIND_ADDRESS='10.91.0.2'", "PILOT_AGENT_BIND_DEVICE='eth1'"], ids=["address", "device"]
)
async def test_a_machine_with_two_interfaces_calls_from_the_one_it_is_told_to(place: Place, setting: str) -> None:
    """The control plane and the pod both see the second address, though the route to them is by the first interface."""
    async with control_plane(place), place.pod.application(), place.machine.application(), pod(place) as pod_agent:
        place.machine.run("dpkg", "-i", "/root/packages/" + next(built_packages("deb").glob("pilot-agent_*.deb")).name)
        place.machine.root.write("/var/lib/istio/envoy/sidecar.env", f"{setting}\n")
        async with installed(place) as agent:
            said = await reached(place.machine, place.text("machine, application").split()[-1], agent, pod_agent)
            assert "URI=spiffe://cluster.local/ns/shop/sa/inventory" in said
            # What Envoy calls on the machine itself is not bound.
            assert (await reached(place.pod, _URL, agent, pod_agent)).startswith("inventory for")
            clients = (await place.debug("connections"))["clients"]
            assert {client["address"].rpartition(":")[0] or client["address"] for client in clients} == {
                "10.90.0.3",
                "10.91.0.2",
            }
            peers = place.pod.run("ss", "-Htn", "state", "established", "( sport = :15006 )").split()
            assert any(peer.startswith("10.91.0.2:") for peer in peers)
            assert not any(peer.startswith("10.90.0.2:") for peer in peers)
