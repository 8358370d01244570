"""A virtual machine joins a cluster: registered through the API server, called by pods and calling them."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.clean_root import clean_root, why_no_roots
from tests.kit.ctl import pilotctl
from tests.kit.live import until
from tests.kit.machine import Machine
from tests.kit.netns import Namespace
from tests.kit.vm_packages import built_packages
from tests.kube.cluster import Cluster
from tests.kube.mesh import SYSTEM, caller

pytestmark = [
    pytest.mark.kube,
    pytest.mark.root,
    pytest.mark.envoy,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(why_no_roots()), reason=why_no_roots()),
]

_IP: Final = "10.91.0.7"
_GATEWAY: Final = "169.254.1.1"

_INVENTORY: Final = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: inventory}
---
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: inventory}
spec:
  metadata: {labels: {app: inventory}}
  template: {serviceAccount: inventory, ports: {http: 8080}}
  probe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: inventory}
spec: {selector: {app: inventory}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
"""


@contextmanager
def _beside(node: Namespace) -> Iterator[Namespace]:
    """A namespace with a cable to the node, which routes: to the pods, and to the addresses of services."""
    machine = Namespace(f"machine-{secrets.token_hex(3)}")
    commands = f"""
ip netns add {machine.name}
ip -n {node.name} link add vm0 type veth peer name eth0 netns {machine.name}
ip -n {node.name} addr add {_GATEWAY}/32 dev vm0
ip -n {node.name} link set vm0 up
ip -n {node.name} route add {_IP}/32 dev vm0
ip -n {machine.name} link set lo up
ip -n {machine.name} addr add {_IP}/32 dev eth0
ip -n {machine.name} link set eth0 up
ip -n {machine.name} route add {_GATEWAY} dev eth0
ip -n {machine.name} route add default via {_GATEWAY}
"""
    try:
        subprocess.run(["sh", "-ec", commands], check=True, timeout=30)
        yield machine
    finally:
        subprocess.run(["ip", "netns", "delete", machine.name], check=True, timeout=30)


@pytest.fixture
def machine(site: Cluster, tmp_path: Path) -> Iterator[Machine]:
    """A clean root beside the node, with the packages at hand."""
    with ExitStack() as stack:
        root = stack.enter_context(clean_root(tmp_path / "machine"))
        made = Machine("inventory", root, stack.enter_context(_beside(site.node)))
        made.prepare(built_packages("deb"))
        made.root.write("/etc/resolv.conf", "nameserver 10.96.0.10\n")
        yield made


async def _installed(site: Cluster, namespace: str, machine: Machine) -> None:
    """The steps of the documentation, the files by what the cluster says."""
    service = await site.api.get("v1", "Service", "istiod", SYSTEM)
    assert service is not None
    done = await asyncio.to_thread(
        pilotctl,
        *("x", "workload", "entry", "configure", "--kubeconfig", str(site.plane.address.kubeconfig)),
        *("-n", namespace, "--name", "inventory", "--autoregister", "-o", str(machine.root.file("/root/files"))),
        *("--ingressIP", service["spec"]["clusterIP"]),
    )
    assert done.exit_code == 0, done.output
    for step in ("dpkg -i packages/*.deb", "pilot-agent-vm join files"):
        await asyncio.to_thread(machine.run, "sh", "-eu", "-c", f"cd /root; {step}")


async def test_a_machine_joins_the_cluster_serves_falls_ill_recovers_and_leaves(
    site: Cluster, shop: str, machine: Machine, record_property: Callable[[str, object], None]
) -> None:
    """Both ways over mutual TLS; its entry, health and end are told through the API server."""
    site.kubectl("apply", "-n", shop, "-f", "-", stdin=_INVENTORY)
    await _installed(site, shop, machine)
    load = caller("load", URL="http://inventory/", PAUSE_S="0.02", EACH="1")
    site.kubectl("apply", "-n", shop, "-f", "-", stdin=load)

    def recent(count: int = 10) -> list[dict[str, Any]]:
        return site.lines(shop, "load", "caller")[-count:]

    def all_answered(status: int) -> bool:
        found = recent()
        return len(found) == 10 and all(answer["status"] == status for answer in found)

    async def entries() -> list[dict[str, Any]]:
        return await site.api.list_all("networking.istio.io/v1", "WorkloadEntry", shop)

    async with _seen_by_pods(site, shop, machine, lambda: all_answered(200)) as agent:
        # A pod calls the machine, and the machine a pod, by name.
        assert f"URI=spiffe://cluster.local/ns/{shop}/sa/caller" in str(recent(1)[0]["words"])
        url = f"http://echo.{shop}.svc.cluster.local/"
        status, body = await until(lambda: _answered(machine, url), lambda: agent.text[-4000:], within_s=60)
        peer = json.loads(body)["headers"]["x-forwarded-client-cert"]
        assert (status, f"URI=spiffe://cluster.local/ns/{shop}/sa/inventory" in peer) == (200, True)
        (entry,) = await entries()
        assert (entry["metadata"]["name"], entry["spec"]["address"]) == (f"inventory-{_IP}", _IP)
        conditions = {condition["type"]: condition["status"] for condition in entry["status"]["conditions"]}
        assert conditions["Healthy"] == "True"

        clock = asyncio.get_running_loop()
        began_at = clock.time()
        machine.root.write("/srv/ill", "")
        await until(lambda: all_answered(503), lambda: site.story(shop), within_s=30)
        record_property("ill to the tenth call that finds no endpoint, s", round(clock.time() - began_at, 2))
        machine.root.file("/srv/ill").unlink()
        await until(lambda: all_answered(200), lambda: site.story(shop), within_s=30)
        assert [item["metadata"]["uid"] for item in await entries()] == [entry["metadata"]["uid"]]

        agent.signal(signal.SIGTERM)
        await until(lambda: all_answered(503), lambda: site.story(shop), within_s=30)
        assert (await agent.wait()).clean

        async def forgotten() -> bool:
            return await entries() == []

        await until(forgotten, lambda: "the entry is still there", within_s=60)


@asynccontextmanager
async def _seen_by_pods(site: Cluster, namespace: str, machine: Machine, seen: Callable[[], bool]) -> Any:
    async with machine.application(), machine.as_init() as agent:
        await until(seen, lambda: agent.text[-4000:] + site.story(namespace), within_s=60)
        yield agent


async def _answered(machine: Machine, url: str) -> tuple[int, str] | None:
    found = await machine.call(url)
    return found if found[0] == 200 else None
