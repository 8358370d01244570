"""What is done to a server, and which rows come out of it: one function per question.

CPU is what the kernel accounts to the server between two moments at which it is at rest; the time of a change runs from
the moment before its file is replaced to the moment the last stream has sent its ACK.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.cluster import Cluster, MeshCluster
from benchmarks.mesh import Mesh, MeshDirectory, MeshEdits
from benchmarks.processes import LoadGenerator, MeasuringError, Server
from benchmarks.rows import Row, row

__all__ = ["Bench", "Setup", "measure"]

_IDLE_S = 5.0
_CHANGES = 2000  # streams touched by all repetitions together, so that ticks of 10 ms average out


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement: a mesh, a number of sidecars, and the command line of the server."""

    mesh: Mesh
    sidecars: int
    command: str
    flags: tuple[str, ...] = ()  # of the load generator
    quiet_s: float = 1.0  # after which a change counts as done; more for servers that push in rounds
    cluster: Cluster | None = None  # the API server that holds the mesh; None: a directory

    def title(self) -> str:
        """How rows name it."""
        mode = " sotw" if "sotw" in self.flags else ""
        source = ", API server" if self.cluster is not None else ""
        return f"{self.mesh.title()}, {self.sidecars}{mode} sidecars{source}"


class Bench:
    """A server with a generator connected to it, and the rows so far."""

    def __init__(self, setup: Setup, edits: MeshEdits, server: Server, generator: LoadGenerator) -> None:
        self.setup = setup
        self.edits = edits
        self.server = server
        self.generator = generator
        self.rows: list[Row] = []

    def add(self, name: str, value: float, unit: str) -> None:
        """One more row; the budgets are those of delta streams, others are only told."""
        made = row(name, self.setup.title(), value, unit)
        self.rows.append(msgspec.structs.replace(made, budget=None, met=None) if "sotw" in self.setup.flags else made)

    async def connect(self) -> None:
        """The first sidecar alone, then all others at once."""
        before = self.server.usage().cpu_s
        await self.generator.ask("connect 1")
        await self.server.rest()
        first = self.server.usage().cpu_s
        self.add("cold_first_sidecar_cpu", 1e3 * (first - before), "ms")
        others = self.setup.sidecars - 1
        started_at = time.monotonic()
        report = await self.generator.ask(f"connect {others}")
        took_s = report["now"] - started_at
        await self.server.rest()
        self.add("next_sidecar_cpu", 1e3 * (self.server.usage().cpu_s - first) / others, "ms")
        self.add("all_sidecars_ready", took_s, "s")
        self.add("first_configuration_bytes", report["bytes_mean"] / 1e6, "MB")
        for name, total in report["types"].items():
            self.add(f"first_configuration_{name.lower()}_resources", total["resources"] / self.setup.sidecars, "")

    async def idle(self) -> None:
        """CPU while nothing changes, and memory."""
        before = self.server.usage().cpu_s
        await asyncio.sleep(_IDLE_S)
        usage = self.server.usage()
        self.add("idle_cpu", usage.cpu_s - before, "s")
        self.add("memory", usage.rss_mb, "MB")
        series = await self.server.series()
        if series is not None:
            self.add("time_series", series, "")

    async def change(self, name: str, edit: Callable[[], None]) -> None:
        """An edit, several times over: CPU and bytes per proxy, and the time to the last ACK."""
        sidecars = self.setup.sidecars
        times = min(20, max(5, _CHANGES // sidecars))
        acks: list[float] = []
        size = 0.0
        before = self.server.usage().cpu_s
        for _ in range(times):
            await self.generator.ask("mark")
            edited_at = time.monotonic()
            edit()
            report = await self.generator.ask(f"settle 1 {self.setup.quiet_s}")
            acks.append(report["last_ack_at"] - edited_at)
            size += report["bytes_mean"]
        used_s = self.server.usage().cpu_s - before
        self.add(f"{name}_cpu_per_proxy", 1e3 * used_s / times / sidecars, "ms")
        self.add(f"{name}_bytes_per_proxy", size / times / 1e3, "KB")
        self.add(f"{name}_last_ack", median(acks), "s")
        self.add(f"{name}_last_ack_worst", max(acks), "s")

    async def elsewhere(self) -> None:
        """A change that concerns nobody who is connected."""
        await self.generator.ask("mark")
        before = self.server.usage().cpu_s
        self.edits.change_elsewhere()
        await asyncio.sleep(2 * self.setup.quiet_s)
        report = await self.generator.ask("report")
        self.add("change_elsewhere_responses", report["responses"], "")
        self.add("change_elsewhere_cpu", 1e3 * (self.server.usage().cpu_s - before), "ms")

    async def reconnect(self) -> None:
        """All at once, each telling the versions it holds; then a change proves that all are back."""
        before = self.server.usage().cpu_s
        await self.generator.ask("drop")
        await self.generator.ask("mark")
        await self.generator.ask("reopen")
        await self.generator.ask(f"settle 0 {self.setup.quiet_s}")
        await self.server.rest()
        report = await self.generator.ask("report")
        used_s = self.server.usage().cpu_s - before
        sidecars = self.setup.sidecars
        if report["open"] != sidecars:
            raise MeasuringError(f"{report['open']} of {sidecars} streams are open after the reconnect: {report}")
        self.add("reconnect_cpu_per_proxy", 1e3 * used_s / sidecars, "ms")
        self.add("reconnect_resources", report["resources"], "")
        self.add("reconnect_bytes_per_proxy", report["bytes_mean"] / 1e3, "KB")
        await self.generator.ask("mark")
        self.edits.change_endpoint()
        await self.generator.ask(f"settle 1 {self.setup.quiet_s}")


@asynccontextmanager
async def _started(setup: Setup, scratch: Path) -> AsyncIterator[Bench]:
    root, cluster = scratch / "mesh", setup.cluster
    edits = MeshCluster(cluster, setup.mesh) if cluster is not None else MeshDirectory(root, setup.mesh)
    await asyncio.to_thread(edits.write)
    kubeconfig = cluster.kubeconfig if cluster is not None else None
    async with Server(setup.command, root, scratch / "server.log", kubeconfig=kubeconfig) as server:
        await server.rest()
        async with LoadGenerator(server.address, scratch / "loadgen.log", setup.flags) as generator:
            yield Bench(setup, edits, server, generator)


async def measure(setup: Setup, scratch: Path) -> list[Row]:
    """All rows of one setup, with a fresh server; ``scratch`` is an empty directory for the mesh and logs.

    Raises:
        MeasuringError: a process ended, or a change did not reach every stream.
    """
    async with _started(setup, scratch) as bench:
        ready = bench.server.usage()
        bench.add("start_cpu", ready.cpu_s, "s")
        bench.add("start_memory", ready.rss_mb, "MB")
        await bench.connect()
        await bench.idle()
        await bench.change("endpoint_change", bench.edits.change_endpoint)
        await bench.change("virtual_service_change", bench.edits.change_virtual_service)
        await bench.change("service_added", bench.edits.add_service)
        await bench.elsewhere()
        await bench.reconnect()
        usage = bench.server.usage()
        bench.add("memory_after_changes", usage.rss_mb, "MB")
        bench.add("memory_peak", usage.peak_rss_mb, "MB")
        report = await bench.generator.ask("report")
        bench.add("streams_failed", sum(report["failures"].values()), "")
        bench.add("responses_rejected", report["rejected"], "")
        return bench.rows
