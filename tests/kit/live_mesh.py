"""The whole path at once: pilot-discovery with its secure port, and agents with Envoys that authenticate by token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from discovery.auth.dev_issuer import DevIssuer
from tests.kit.free_ports import free_ports
from tests.kit.live import LiveDiscovery, live_discovery, until
from tests.kit.live_agent import LiveAgent, live_agent
from tests.kit.live_backend import Backend, call, serving_backend

__all__ = ["Pair", "SecureMesh", "Workload", "prepared", "serves", "workloads"]


class Workload:
    """Where an agent lives: its directory, which stands for the root of its pod's file system."""

    def __init__(
        self, mesh: SecureMesh, name: str, *, ip: str, namespace: str = "default", account: str = "", app: str = ""
    ) -> None:
        self.name = name
        self.ip = ip
        self.namespace = namespace
        self.account = account or name
        self.directory = mesh.directory / name
        self._mesh = mesh
        for place in ("etc/istio/pod", "var/run/secrets/istio", "var/run/secrets/tokens"):
            (self.directory / place).mkdir(parents=True)
        (self.directory / "etc/istio/pod/labels").write_text(f'app="{app or name}"\n', encoding="utf-8")

    def trust(self, root: bytes) -> None:
        """Mount a root certificate."""
        (self.directory / "var/run/secrets/istio/root-cert.pem").write_bytes(root)

    def mount_token(self, *, age: timedelta = timedelta(0), lifetime: timedelta = timedelta(hours=1)) -> None:
        """Mount a token that was issued some time ago."""
        token = self._mesh.token(self.account, namespace=self.namespace, age=age, lifetime=lifetime)
        self._mesh.issuer.write_token(self.directory / "var/run/secrets/tokens/istio-token", token)

    @asynccontextmanager
    async def running(
        self,
        discovery: LiveDiscovery,
        env: Mapping[str, str] | None = None,
        *,
        config: Mapping[str, Any] | None = None,
        args: tuple[str, ...] = (),
    ) -> AsyncIterator[LiveAgent]:
        """Its agent and Envoy."""
        environ = {
            "INSTANCE_IP": self.ip,
            "POD_NAME": f"{self.name}-0",
            "POD_NAMESPACE": self.namespace,
            "SERVICE_ACCOUNT": self.account,
            **(env or {}),
        }
        proxy = {"controlPlaneAuthPolicy": "MUTUAL_TLS", **(config or {})}
        address = f"localhost:{discovery.secure}"
        async with live_agent(self.directory, address, config=proxy, env=environ, args=args) as agent:
            yield agent


class SecureMesh:
    """A directory for everything: configuration, the authority that outlives the control plane, the token issuer."""

    def __init__(self, directory: Path, text: str) -> None:
        self.directory = directory
        self.config = directory / "config"
        self.config.mkdir()
        (self.config / "mesh.yaml").write_text(text, encoding="utf-8")
        self.issuer = DevIssuer.open(directory / "tokens")

    def token(
        self,
        service_account: str,
        *,
        namespace: str = "default",
        age: timedelta = timedelta(0),
        lifetime: timedelta = timedelta(hours=1),
    ) -> str:
        """A token of a workload."""
        return self.issuer.issue(namespace, service_account, now=datetime.now(UTC) - age, lifetime=lifetime)

    @property
    def root(self) -> bytes:
        """The root certificate; there is one once the control plane has run."""
        return (self.directory / "ca/root-cert.pem").read_bytes()

    def workload(self, name: str, *, ip: str, account: str = "", app: str = "") -> Workload:
        """A workload with the right root and a good token; account and label ``app`` are its name unless given."""
        place = Workload(self, name, ip=ip, account=account, app=app)
        place.trust(self.root)
        place.mount_token()
        return place

    @asynccontextmanager
    async def discovery(
        self, *, after: LiveDiscovery | None = None, env: Mapping[str, str] | None = None
    ) -> AsyncIterator[LiveDiscovery]:
        """The control plane; ``after`` another one, on its ports."""
        ports = (after.grpc, after.monitoring) if after else (0, 0)
        args = ("--caDir", str(self.directory / "ca"), "--devTokenDir", str(self.directory / "tokens"))
        secure = after.secure if after else 0
        async with live_discovery(
            self.directory, self.config, args=args, env=env, ports=ports, secure=secure
        ) as running:
            yield running


class Pair(NamedTuple):
    """Two workloads of a mesh, and where the caller's application would call."""

    mesh: SecureMesh
    backend: Backend
    caller: Workload
    api: Workload
    out: tuple[str, int]

    @property
    def host(self) -> str:
        """What the application calls it."""
        return f"api.default.svc.cluster.local:{self.out[1]}"


def _filled_in(case: Path, **values: int) -> str:
    text = case.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(name, str(value))
    return text


@asynccontextmanager
async def prepared(directory: Path, case: Path) -> AsyncIterator[tuple[SecureMesh, Backend, tuple[str, int]]]:
    """The mesh on disk, and the application."""
    port_in, port_out = free_ports(2)
    async with serving_backend("api") as backend:
        text = _filled_in(case, PORT_IN=port_in, PORT_OUT=port_out, PORT_APP=backend.port)
        yield SecureMesh(directory, text), backend, ("127.0.0.60", port_out)


def workloads(mesh: SecureMesh, backend: Backend, out: tuple[str, int]) -> Pair:
    """Directories for both agents; the authority must exist."""
    return Pair(mesh, backend, mesh.workload("caller", ip="127.0.0.60"), mesh.workload("api", ip="127.0.0.61"), out)


async def serves(pair: Pair, *agents: LiveAgent) -> None:
    """Return once both sidecars are ready and a request comes through."""
    for agent in agents:
        await agent.until("/healthz/ready", 200)

    async def answered() -> bool:
        return (await call(pair.out, host=pair.host)).body == b"api"

    await until(answered, lambda: "\n".join(agent.text[-3000:] for agent in agents))
