"""How long until an edited route is in force at Envoy: measured by requests to a real one, none of which may fail.

Envoy speaks delta ADS to the server directly and listens on a port of its own (``INTERCEPTION_MODE=NONE`` and a Sidecar
with an egress listener). The edited route is a redirect whose target names the edition, so that no backend is needed.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks.mesh import MeshDirectory
from benchmarks.processes import LoadGenerator, MeasuringError, Process, Server, free_ports
from benchmarks.rows import Row, row
from benchmarks.scenarios import Setup
from discovery.runtime.envoy_binary import find_envoy

__all__ = ["measure_effect"]

_EDITS = 50
_GIVE_UP_S = 15.0
_LOAD_EVERY_S = 0.05
_ADS = {"resource_api_version": "V3", "ads": {}}


def _bootstrap(ads_port: int, admin_port: int) -> dict[str, Any]:
    http2 = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": ads_port}}
    ads = {
        "api_type": "DELTA_GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
    }
    return {
        "node": {
            "id": "sidecar~127.0.0.1~probe.bench~bench.svc.cluster.local",
            "cluster": "probe.bench",
            "metadata": {
                "NAMESPACE": "bench",
                "CLUSTER_ID": "Kubernetes",
                "INSTANCE_IPS": "127.0.0.1",
                "INTERCEPTION_MODE": "NONE",
                "LABELS": {"app": "probe"},
            },
        },
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin_port}}},
        "dynamic_resources": {"ads_config": ads, "cds_config": _ADS, "lds_config": _ADS},
        "static_resources": {
            "clusters": [
                {
                    "name": "xds-grpc",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "typed_extension_protocol_options": {
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2
                    },
                    "load_assignment": {
                        "cluster_name": "xds-grpc",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
                    },
                }
            ]
        },
    }


class _Probe:
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
            self.close()
            head = "the connection was closed"
        self.requests += 1
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        if not head.startswith("HTTP/1.1 301") or fields.get("content-length", "0") != "0":
            self.failures.append(head.partition("\r\n")[0])
            self.close()  # a body would be in the way of the next answer
            return ""
        if fields.get("connection") == "close":
            self.close()
        return fields.get("location", "")

    def close(self) -> None:
        """Connect again for the next request."""
        if self._stream is not None:
            self._stream[1].close()
            self._stream = None


async def _until(probe: _Probe, wanted: str) -> float:
    """Seconds from now until a request is redirected to ``wanted``."""
    started_at = time.monotonic()
    while time.monotonic() - started_at < _GIVE_UP_S:
        if wanted in await probe.location():
            return time.monotonic() - started_at
        await asyncio.sleep(0.0005)  # the probe must not take the core that the server needs
    raise MeasuringError(f"Envoy did not redirect to {wanted} within {_GIVE_UP_S:g} s: {probe.failures[-1:]}")


async def _first(probe: _Probe, wanted: str, envoy: Process) -> None:
    """Until Envoy is up and has the first edition."""
    deadline = time.monotonic() + 4 * _GIVE_UP_S
    while time.monotonic() < deadline:
        try:
            if wanted in await probe.location():
                break
        except OSError:
            await asyncio.sleep(0.1)  # its listener is not there yet
    else:
        raise MeasuringError(f"Envoy never served the first route ({probe.failures[-1:]}), see {envoy.log}")
    probe.failures.clear()
    probe.requests = 0


@asynccontextmanager
async def _probed(directory: MeshDirectory, server: Server, scratch: Path) -> AsyncIterator[_Probe]:
    host = directory.add_probe()
    directory.redirect_probe(0)
    bootstrap = scratch / "envoy.json"
    bootstrap.write_text(json.dumps(_bootstrap(server.port, free_ports("admin")["admin"])))
    flags = ("-c", str(bootstrap), "--use-dynamic-base-id", "-l", "warning", "--concurrency", "1")
    probe = _Probe(directory.mesh.port, host)
    async with Process((str(find_envoy()), *flags), scratch / "envoy.log") as envoy:
        await _first(probe, "edition-0.", envoy)
        yield probe
        probe.close()


async def _edit(directory: MeshDirectory, probe: _Probe, first: int) -> list[float]:
    """Times of a series of edits, each made when the one before is in force."""
    times = []
    for edition in range(first, first + _EDITS):
        directory.redirect_probe(edition)
        times.append(await _until(probe, f"edition-{edition}."))
        await asyncio.sleep(0.05)
    return times


async def _churn(directory: MeshDirectory) -> None:
    while True:
        directory.change_endpoint()
        await asyncio.sleep(_LOAD_EVERY_S)


async def _edit_under_load(
    directory: MeshDirectory, probe: _Probe, generator: LoadGenerator, sidecars: int
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
    mesh = msgspec.structs.replace(setup.mesh, port=free_ports("listener")["listener"])
    directory = MeshDirectory(scratch / "mesh", mesh)
    directory.write()
    rows: list[Row] = []

    def add(name: str, times: Sequence[float]) -> None:
        p99 = sorted(times)[-(len(times) // 100) - 1]
        rows.append(row(f"{name}_p99", setup.title(), 1e3 * p99, "ms"))
        rows.append(row(f"{name}_median", setup.title(), 1e3 * median(times), "ms"))

    async with (
        Server(setup.command, directory.root, scratch / "server.log") as server,
        _probed(directory, server, scratch) as probe,
        LoadGenerator(server.address, scratch / "loadgen.log", setup.flags) as generator,
    ):
        add("route_effective", await _edit(directory, probe, 1))
        add("route_effective_under_load", await _edit_under_load(directory, probe, generator, setup.sidecars))
        rows.append(row("route_edit_failed_requests", setup.title(), len(probe.failures), ""))
        rows.append(row("route_edit_requests", setup.title(), probe.requests, ""))
    return rows
