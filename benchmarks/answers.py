"""How long an agent takes to answer kubelet and Prometheus: each beside the same question asked without it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from benchmarks.agents import Agent
from benchmarks.processes import MeasuringError
from benchmarks.rows import Row, row
from discovery.runtime.http_client import TcpTarget, fetch

__all__ = ["application", "measure_answers", "told"]

_PROBES: Final = 300
_SCRAPES: Final = 50
_PROBE_PATH: Final = "/app-health/web/readyz"
_METRICS: Final = b"".join(b'http_requests_total{path="/p%d"} %d\n' % (n, n) for n in range(200))


@asynccontextmanager
async def application() -> AsyncIterator[int]:
    """An application with ready answers; gives its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = _METRICS if head.startswith(b"GET /metrics") else b"ok\n"
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n")
        writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def told(port: int) -> dict[str, str]:
    """What an injector would tell the agent about that application."""
    probers = {_PROBE_PATH: {"httpGet": {"path": "/ready", "port": port}, "timeoutSeconds": 1}}
    annotations = {"scrape": "true", "path": "/metrics", "port": str(port)}
    return {"ISTIO_KUBE_APP_PROBERS": json.dumps(probers), "ISTIO_PROMETHEUS_ANNOTATIONS": json.dumps(annotations)}


async def _times(port: int, path: str, count: int) -> tuple[list[float], int]:
    """Sorted milliseconds of as many questions, one after the other, and the size of the last answer."""
    times, size = [], 0
    for _ in range(count):
        started_at = time.perf_counter()
        response = await fetch(TcpTarget("127.0.0.1", port), path, timeout_s=10)
        times.append(1e3 * (time.perf_counter() - started_at))
        if response.status != 200:
            raise MeasuringError(f"{path} at port {port}: status {response.status}, want 200")
        size = len(response.body)
    return sorted(times), size


async def measure_answers(agent: Agent, port: int, title: str) -> Sequence[Row]:
    """Rows for probes and scrapes, of an agent that was ``told`` of the application at ``port``.

    Raises:
        MeasuringError: an answer was not 200.
    """
    rows = []
    for name, at, path, count in (
        ("probe_asked_directly", port, "/ready", _PROBES),
        ("probe", agent.status_port, _PROBE_PATH, _PROBES),
        ("envoy_metrics_asked_directly", agent.prometheus_port, "/stats/prometheus", _SCRAPES),
        ("metrics_merge", agent.status_port, "/stats/prometheus", _SCRAPES),
    ):
        times, size = await _times(at, path, count)
        rows.append(row(f"{name}_median", title, times[len(times) // 2], "ms"))
        rows.append(row(f"{name}_p99", title, times[int(len(times) * 0.99)], "ms"))
        if count == _SCRAPES:
            rows.append(row(f"{name}_size", title, size / 1e3, "KB"))
    return rows
