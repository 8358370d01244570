"""Starts the mesh, control plane first, then the applications, each with an agent and its Envoy; waits until ready."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from discovery.auth.dev_issuer import DevIssuer
from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from discovery.runtime.process import Process, ProcessSpec
from examples.demo import layout
from examples.demo.errors import DemoError
from examples.demo.fleet import Fleet
from examples.demo.layout import AgentPorts, Block, Variant, Workload

__all__ = ["EXAMPLES", "Member", "Mesh", "prepare", "start_control_plane", "start_workloads"]

EXAMPLES: Final = Path(__file__).parents[1]
_READY_S: Final = 45.0
_LOOK_AGAIN_S: Final = 0.05


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A workload, its agent's ports and its directory, which stands for the root of its pod's file system."""

    workload: Workload
    ports: AgentPorts
    directory: Path

    @property
    def agent(self) -> str:
        """What its agent's process is called."""
        return f"agent-{self.workload.name}"


class Mesh(msgspec.Struct, frozen=True, kw_only=True):
    """All that is where it is.

    Attributes:
        config: the directory of YAML that the control plane watches.
    """

    block: Block
    directory: Path
    config: Path
    members: tuple[Member, ...]
    variant: Variant = Variant.DELTA

    def member(self, name: str) -> Member:
        """The workload of that name."""
        return next(member for member in self.members if member.workload.name == name)

    @property
    def traffic_file(self) -> Path:
        """The VirtualService that says who gets which version of reviews."""
        return self.config / "traffic.yaml"

    @property
    def monitoring(self) -> TcpTarget:
        """Where the control plane tells about itself."""
        return TcpTarget(self.block.control_plane, 15014)


def prepare(directory: Path, block: Block, variant: Variant = Variant.DELTA) -> Mesh:
    """Lay out a working directory: the YAML with this block's addresses, and a directory for each workload."""
    config = directory / "config"
    config.mkdir()
    (directory / "mesh.yaml").write_bytes((EXAMPLES / "mesh.yaml").read_bytes())
    for source in sorted((EXAMPLES / "bookinfo").glob("*.yaml")):
        (config / source.name).write_text(block.relocate(source.read_text(encoding="utf-8")), encoding="utf-8")
    workloads = layout.read_workloads((config / "workloads.yaml").read_text(encoding="utf-8"))
    members = tuple(
        Member(workload=workload, ports=block.agent_ports(number), directory=directory / workload.name)
        for number, workload in enumerate(workloads)
    )
    for member in members:
        member.directory.mkdir()
    return Mesh(block=block, directory=directory, config=config, members=members, variant=variant)


async def start_control_plane(fleet: Fleet, mesh: Mesh, kinds: dict[int, str]) -> None:
    """Start ``pilot-discovery`` and wait until it serves; ``kinds`` learns what its process is.

    Raises:
        DemoError: it did not come up.
    """
    argv = layout.discovery_argv(
        mesh.block,
        _program("pilot-discovery"),
        mesh=mesh.directory / "mesh.yaml",
        config=mesh.config,
        state=mesh.directory,
    )
    started = await fleet.start(
        [ProcessSpec(name="pilot-discovery", argv=argv, cwd=str(mesh.directory))],
        environment={"pilot-discovery": layout.discovery_environment(mesh.variant)},
    )
    _note(kinds, started, "pilot-discovery")
    await _until_ready(fleet, {"pilot-discovery": (TcpTarget(mesh.block.control_plane, 8080), "/ready")})


async def start_workloads(fleet: Fleet, mesh: Mesh, kinds: dict[int, str]) -> None:
    """Start applications and agents, all at once, and wait until every Envoy has its configuration.

    Raises:
        DemoError: one did not come up.
    """
    issuer = DevIssuer.open(mesh.directory / "tokens")
    for member in mesh.members:
        _mount(member, issuer, root=mesh.directory / "ca" / "root-cert.pem")
    served = [member for member in mesh.members if member.workload.app != layout.CLIENT]
    apps = await fleet.start(
        [
            ProcessSpec(
                name=f"app-{member.workload.name}",
                argv=layout.app_argv(sys.executable, member.workload),
                cwd=str(member.directory),
            )
            for member in served
        ],
        environment={f"app-{member.workload.name}": {"PYTHONPATH": str(EXAMPLES.parent)} for member in served},
    )
    argv = layout.agent_argv(_program("pilot-agent"))
    agents = await fleet.start(
        [ProcessSpec(name=member.agent, argv=argv, cwd=str(member.directory)) for member in mesh.members],
        environment={
            member.agent: layout.agent_environment(mesh.block, member.workload, member.ports, variant=mesh.variant)
            for member in mesh.members
        },
    )
    _note(kinds, apps, "application")
    _note(kinds, agents, "pilot-agent")
    await _until_ready(
        fleet, {m.agent: (TcpTarget("127.0.0.1", m.ports.status), "/healthz/ready") for m in mesh.members}
    )


def _note(kinds: dict[int, str], processes: Sequence[Process], kind: str) -> None:
    kinds.update({process.pid: kind for process in processes if process.pid is not None})


def _mount(member: Member, issuer: DevIssuer, *, root: Path) -> None:
    """Put into a workload's directory what a cluster would mount: labels, the mesh's root, a token."""
    workload = member.workload
    for name in ("etc/istio/pod", "var/run/secrets/istio", "var/run/secrets/tokens"):
        (member.directory / name).mkdir(parents=True)
    (member.directory / "etc/istio/pod/labels").write_text(layout.pod_labels(workload), encoding="utf-8")
    (member.directory / "var/run/secrets/istio/root-cert.pem").write_bytes(root.read_bytes())
    token = issuer.issue(workload.namespace, workload.service_account, now=datetime.now(UTC))
    issuer.write_token(member.directory / "var/run/secrets/tokens/istio-token", token)


def _program(name: str) -> str:
    """The console script beside this interpreter, else the one on PATH.

    Raises:
        DemoError: it is not installed.
    """
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise DemoError(f"{name} is not installed", hint="run 'make demo', or 'pip install -e .[dev]'")
    return found


async def _until_ready(fleet: Fleet, wanted: Mapping[str, tuple[TcpTarget, str]]) -> None:
    """Ask each until it answers 200.

    Raises:
        DemoError: one did not in time; the text has its own reason.
    """
    last: dict[str, str] = dict.fromkeys(wanted, "not asked")

    async def ask(name: str) -> None:
        target, path = wanted[name]
        while last[name]:
            try:
                answer = await fetch(target, path, timeout_s=2)
                last[name] = "" if answer.status == 200 else answer.body.decode(errors="replace").strip() or "no reason"
            except HttpClientError as error:
                last[name] = str(error)
            if last[name]:
                await asyncio.sleep(_LOOK_AGAIN_S)

    try:
        async with asyncio.timeout(_READY_S), asyncio.TaskGroup() as group:
            for name in wanted:
                group.create_task(ask(name))
    except TimeoutError:
        waiting: Sequence[str] = [f"{name}: {reason}" for name, reason in last.items() if reason]
        raise DemoError(
            f"not ready after {_READY_S:.0f} s: " + "; ".join(waiting),
            log=fleet.log_of(next(name for name, reason in last.items() if reason)),
        ) from None
