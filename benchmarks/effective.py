"""How long until an edited route is in force at Envoy: measured by requests to a real one, none of which may fail.

The whole path is measured: file, control plane, its TLS front, agent, Envoy, request. Envoy listens on a port of its
own (``INTERCEPTION_MODE=NONE`` and a Sidecar with an egress listener). The edited route is a redirect whose target
names the edition, so that no backend is needed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median
from types import MappingProxyType

import msgspec

from benchmarks.agents import Agent
from benchmarks.answers import application, measure_answers, told
from benchmarks.mesh import MeshDirectory
from benchmarks.processes import LoadGenerator, MeasuringError, Server, free_ports
from benchmarks.rows import Row, row
from benchmarks.scenarios import Setup

__all__ = ["Probe", "measure_agent", "measure_effect"]

_EDITS = 50
_APART_S = 0.3  # edits of a person or a pipeline: each after quiet, not in one burst
_GIVE_UP_S = 15.0
_LOAD_EVERY_S = 0.05
_SETTLE_S = 3.0
_IDLE_S = 20.0


class Probe:
    """One HTTP/1.1 connection to Envoy's listener, used for request after request."""

    def __init__(self, port: int, host: str) -> None:
        self._port = port
        self._request = f"GET /probe HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.requests = 0
        self.failures: list[str] = []

    async def location(self) -> str:
        """Where a request is redirected to; empty when it was not (which is counted as a failure).

        Raises:
            OSError: Envoy cannot be reached.
        """
        if self._stream is None:
            self._stream = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._stream
        writer.write(self._request)
        try:
            async with asyncio.timeout(_GIVE_UP_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (OSError, EOFError):
            await self.close()
            head = "the connection was closed"
        self.requests += 1
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        if not head.startswith("HTTP/1.1 301") or fields.get("content-length", "0") != "0":
            self.failures.append(head.partition("\r\n")[0])
            await self.close()  # a body would be in the way of the next answer
            return ""
        if fields.get("connection") == "close":
            await self.close()
        return fields.get("location", "")

    async def close(self) -> None:
        """Connect again for the next request."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream[1].close()
            with suppress(OSError):
                await stream[1].wait_closed()


async def _until(probe: Probe, wanted: str, *, started_at: float) -> float:
    """Seconds from the start until a request is redirected to ``wanted``."""
    while time.monotonic() - started_at < _GIVE_UP_S:
        if wanted in await probe.location():
            return time.monotonic() - started_at
        await asyncio.sleep(0.0005)  # the probe must not take the core that the server needs
    raise MeasuringError(f"Envoy did not redirect to {wanted} within {_GIVE_UP_S:g} s: {probe.failures[-1:]}")


async def _first(probe: Probe, wanted: str) -> None:
    """Until Envoy has the first edition; what went wrong before that does not count."""
    await _until(probe, wanted, started_at=time.monotonic())
    probe.failures.clear()
    probe.requests = 0


@asynccontextmanager
async def _probed(
    setup: Setup, scratch: Path, told: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[tuple[MeshDirectory, Server, Agent]]:
    mesh = msgspec.structs.replace(setup.mesh, port=free_ports("listener")["listener"])
    directory = MeshDirectory(scratch / "mesh", mesh)
    directory.write()
    directory.add_probe()
    directory.redirect_probe(0)
    async with Server(setup.command, directory.root, scratch / "server.log") as server:
        await server.rest()
        async with Agent(server, scratch / "agent", scratch / "agent.log", told=told) as agent:
            yield directory, server, agent


async def measure_agent(setup: Setup, scratch: Path) -> Sequence[Row]:
    """Rows of an agent with its Envoy: how soon it is ready, what it costs while it relays, how soon it answers.

    Raises:
        MeasuringError: a process ended, or Envoy never became ready.
    """
    title = f"{setup.mesh.title()}, one agent"
    async with application() as port, _probed(setup, scratch, told(port)) as (_, _, agent):
        await asyncio.sleep(_SETTLE_S)
        before = agent.own_usage()
        await asyncio.sleep(_IDLE_S)
        after = agent.own_usage()
        return [
            row("agent_ready", title, agent.ready_after_s, "s"),
            row("agent_memory", title, after.rss_mb, "MB"),
            row("agent_memory_peak", title, after.peak_rss_mb, "MB"),
            row("agent_idle_cpu", title, 100 * (after.cpu_s - before.cpu_s) / _IDLE_S, "%"),
            *await measure_answers(agent, port, title),
        ]


async def _edit(directory: MeshDirectory, probe: Probe, first: int) -> list[float]:
    """Times of a series of edits, each made when the one before is in force."""
    times = []
    for edition in range(first, first + _EDITS):
        started_at = time.monotonic()
        directory.redirect_probe(edition)
        times.append(await _until(probe, f"edition-{edition}.", started_at=started_at))
        await asyncio.sleep(_APART_S)
    return times


async def _churn(directory: MeshDirectory) -> None:
    while True:
        directory.change_endpoint()
        await asyncio.sleep(_LOAD_EVERY_S)


async def _edit_under_load(
    directory: MeshDirectory, probe: Probe, generator: LoadGenerator, sidecars: int
) -> list[float]:
    """The same while ``sidecars`` streams hear of twenty endpoint changes a second."""
    await generator.ask(f"connect {sidecars}")
    async with asyncio.TaskGroup() as group:
        churning = group.create_task(_churn(directory), name="churn")
        times = await _edit(directory, probe, _EDITS + 1)
        churning.cancel()
    return times


async def measure_effect(setup: Setup, scratch: Path) -> Sequence[Row]:
    """Rows for an idle control plane and for one under load.

    Raises:
        MeasuringError: a process ended, or an edit never came into force.
    """
    rows: list[Row] = []

    def add(name: str, times: Sequence[float]) -> None:
        p99 = sorted(times)[-(len(times) // 100) - 1]
        rows.append(row(f"{name}_p99", setup.title(), 1e3 * p99, "ms"))
        rows.append(row(f"{name}_median", setup.title(), 1e3 * median(times), "ms"))

    async with _probed(setup, scratch) as (directory, server, _):
        probe = Probe(directory.mesh.port, directory.probed_host)
        await _first(probe, "edition-0.")
        add("route_effective", await _edit(directory, probe, 1))
        async with LoadGenerator(server.address, scratch / "loadgen.log", setup.flags) as generator:
            add("route_effective_under_load", await _edit_under_load(directory, probe, generator, setup.sidecars))
        rows.append(row("route_edit_failed_requests", setup.title(), len(probe.failures), ""))
        rows.append(row("route_edit_requests", setup.title(), probe.requests, ""))
        await probe.close()
    return rows
