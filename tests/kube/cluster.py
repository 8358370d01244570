"""A whole cluster on this machine: a control plane and one node with real pods, all inside a network namespace.

Nothing of it is seen from outside but one port of loopback, which leads to the API server. When the context ends
nothing is left: processes, namespaces and files go.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.kit.free_ports import free_ports
from tests.kit.kube_api.handle import KubeApi
from tests.kit.live import inherited_environment, until
from tests.kit.netns import Namespace
from tests.kube.credentials import PROXY, SCHEDULER
from tests.kube.launcher import Launcher, Running, wait_until
from tests.kube.server import KUBERNETES_IP, ControlPlane, Place, running_control_plane

__all__ = ["NODE", "Cluster", "is_ready", "running_cluster"]

NODE: Final = "node-1"
_NODE_IP: Final = "10.244.0.1"


class Cluster:
    """A running one, as its administrator sees it."""

    def __init__(self, plane: ControlPlane, node: Namespace, kubelet: Running, directory: Path) -> None:
        self.plane = plane
        self._api: KubeApi | None = None
        self.node = node
        self.kubelet = kubelet
        self.directory = directory

    @property
    def api(self) -> KubeApi:
        """The handle of the test that runs."""
        assert self._api is not None, "open it with `opened`"
        return self._api

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Cluster]:
        """With a handle for this event loop."""
        async with KubeApi(self.plane.address) as self._api:
            yield self
        self._api = None

    def try_kubectl(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """What kubectl answers, also when it fails."""
        command = [str(self.plane.programs["kubectl"]), "--kubeconfig", str(self.plane.address.kubeconfig), *words]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=300, check=False)

    def kubectl(self, *words: str, stdin: str = "") -> str:
        """What kubectl answers; it must succeed."""
        done = self.try_kubectl(*words, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}{done.stdout}"
        return done.stdout

    async def kubectl_in_background(self, *words: str) -> str:
        """The same, while this program goes on."""
        return await asyncio.to_thread(self.kubectl, *words)

    def log(self, namespace: str, pod: str, container: str) -> str:
        """What a container has said; a pod may be named by its beginning."""
        found = sorted((self.directory / "logs").glob(f"{namespace}_{pod}*_{container}.log"))
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in found)

    def lines(self, namespace: str, pod: str, container: str) -> list[dict[str, Any]]:
        """The JSON objects that a container has said, one a line."""
        words = self.log(namespace, pod, container).splitlines()
        return [json.loads(line) for line in words if line.startswith("{") and line.endswith("}")]

    def processes(self, pod: str, word: str) -> list[int]:
        """Ids, as this machine sees them, of a pod's processes whose command has the word; the oldest first."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                environ, command = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes()
            except OSError:
                continue  # it has just ended
            if f"HOSTNAME={pod}".encode() in environ.split(b"\0") and word.encode() in command:
                found.append(int(entry.name))
        return sorted(found)

    def volume(self, pod: Mapping[str, Any], name: str) -> Path:
        """The folder of a pod's volume."""
        return self.directory / "pods" / str(pod["metadata"]["uid"]) / "volumes" / name

    async def pods(self, namespace: str, app: str = "") -> list[dict[str, Any]]:
        """Pods of a namespace, of one app or all."""
        return await self.api.list_all("v1", "Pod", namespace, **({"labelSelector": f"app={app}"} if app else {}))

    async def ready(
        self, namespace: str, app: str, count: int, *, but: int = 0, within_s: float = 60
    ) -> list[dict[str, Any]]:
        """The pods of an app, once exactly so many are there, and all are ready but so many."""

        async def look() -> list[dict[str, Any]]:
            there = await self.pods(namespace, app)
            return there if len(there) == count and sum(map(is_ready, there)) == count - but else []

        found: list[dict[str, Any]] = await until(look, lambda: self.story(namespace), within_s=within_s)
        return found

    async def phase(self, namespace: str, pod: str, *phases: str, within_s: float = 60) -> str:
        """The phase of a pod, once it is one of these."""

        async def look() -> str:
            item = await self.api.get("v1", "Pod", pod, namespace)
            found = "" if item is None else str(item.get("status", {}).get("phase", ""))
            return found if found in phases else ""

        reached: str = await until(look, lambda: self.story(namespace), within_s=within_s)
        return reached

    def story(self, namespace: str) -> str:
        """What somebody who looks for a fault wants to see."""
        logs = sorted((self.directory / "logs").glob(f"{namespace}_*.log"))
        tails = [f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in logs]
        states = self.kubectl("get", "pods,jobs", "-n", namespace, "-o", "wide")
        return "\n".join([states, self.kubelet.tail(), *tails])


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is, and is not about to end."""
    conditions = {entry["type"]: entry["status"] for entry in pod.get("status", {}).get("conditions", ())}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Start all of it; ready when this returns."""
    with ExitStack() as stack:
        directory = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="kubelet-", ignore_cleanup_errors=True))
        )
        node = stack.enter_context(_node_namespace())
        inside = ("ip", "netns", "exec", node.name)
        (port,) = free_ports(1)
        Launcher(directory, (), stack)(
            "relay", sys.executable, "-m", "tests.kube.relay", str(port), str(node.path), env=inherited_environment()
        )
        place = Place(prefix=inside, bind="0.0.0.0", address=_NODE_IP, nodes=(NODE,), port=port)
        plane = stack.enter_context(running_control_plane(place=place))
        configuration = directory / "kubelet.json"
        configuration.write_bytes(msgspec.json.encode(_configuration(plane, port, directory)))
        kubelet = Launcher(directory, inside, stack)(
            "kubelet", sys.executable, "-m", "tests.kube.kubelet", str(configuration), env=inherited_environment()
        )
        wait_until(lambda: "ready\n" in kubelet.tail(), kubelet)
        yield Cluster(plane, node, kubelet, directory)


def _configuration(plane: ControlPlane, port: int, directory: Path) -> dict[str, Any]:
    tokens = plane.credentials.tokens
    return {
        "node": NODE,
        "ip": _NODE_IP,
        "url": f"https://127.0.0.1:{port}",
        "ca_pem": plane.credentials.ca_pem.decode(),
        "tokens": {"kubelet": tokens[f"system:node:{NODE}"], "scheduler": tokens[SCHEDULER], "proxy": tokens[PROXY]},
        "directory": str(directory),
        "services": {
            "KUBERNETES_SERVICE_HOST": KUBERNETES_IP,
            "KUBERNETES_SERVICE_PORT": "443",
            "KUBERNETES_SERVICE_PORT_HTTPS": "443",
        },
    }


@contextmanager
def _node_namespace() -> Iterator[Namespace]:
    """The network of the node: it routes between pods and has no way out."""
    node = Namespace(f"node-{secrets.token_hex(3)}")
    _ip("netns", "add", node.name)
    try:
        node.run("ip", "link", "set", "lo", "up")
        node.run("ip", "addr", "add", f"{_NODE_IP}/32", "dev", "lo")
        node.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        yield node
    finally:
        _ip("netns", "delete", node.name)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
