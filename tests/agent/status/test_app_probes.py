"""Probes of the application, of every kind, through the agent."""

from __future__ import annotations

import asyncio

from agent.status.app_probes import AppProbes
from agent.status.probe_http import HttpProber
from agent.status.probers import GrpcProbe, HttpProbe, Probe, TcpProbe
from discovery.runtime.http import Request, Response
from tests.kit.grpc_health_server import health_server
from tests.kit.tcp_server import scripted_server

PATH = "/app-health/web/readyz"


async def ask(probe: Probe, *, path: str = PATH) -> Response:
    probes = AppProbes({PATH: probe}, host="127.0.0.1", status_port=15020, prober=HttpProber())
    return await probes.answer(Request(method="GET", path=path, headers=(("host", "10.0.0.1:15020"), ("x-a", "b"))))


async def test_unknown_probes_are_refused() -> None:
    """With the words of the reference."""
    answer = await ask(TcpProbe(port=1), path="/app-health/other/livez")
    assert (answer.status, answer.body) == (400, b"app prober config does not exists for /app-health/other/livez\n")


async def test_http_status_and_body_are_the_applications() -> None:
    """Whatever they are; the Host header names its port, the other headers are kubelet's."""
    teapot = b"HTTP/1.1 418 Teapot\r\ncontent-type: text/x\r\ncontent-length: 3\r\n\r\ntea"
    async with scripted_server(lambda _: teapot) as server:
        answer = await ask(HttpProbe(port=server.port, path="/ready"))
        assert (answer.status, answer.body, answer.content_type) == (418, b"tea", "text/x")
        assert server.heads[0].startswith(f"GET /ready HTTP/1.1\r\nhost: 10.0.0.1:{server.port}\r\n")
        assert "x-a: b\r\n" in server.heads[0]


async def test_http_failure_is_500() -> None:
    """Nobody there, or too slow."""
    assert (await ask(HttpProbe(port=1))).status == 500
    stuck = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stuck.wait()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        answer = await ask(HttpProbe(port=port, timeout_s=0.05))
        assert (answer.status, answer.body) == (500, b"no answer within 0.05 s\n")
        stuck.set()


async def test_tcp() -> None:
    """A connection is all that is asked."""
    async with scripted_server(lambda _: None) as server:
        assert (await ask(TcpProbe(port=server.port, timeout_s=5))).status == 200
        assert (await ask(TcpProbe(port=server.port))).status == 200
    assert (await ask(TcpProbe(port=1, timeout_s=5))).status == 500


async def test_grpc() -> None:
    """SERVING is 200; another status, an unknown service and a server that is none are 500 and say why."""
    async with health_server(good=1, bad=2) as port:
        assert (await ask(GrpcProbe(port=port, service="good", timeout_s=5))).status == 200
        refused = await ask(GrpcProbe(port=port, service="bad", timeout_s=5))
        assert (refused.status, refused.body) == (500, b"the status is NOT_SERVING, want SERVING\n")
        unknown = await ask(GrpcProbe(port=port, service="other", timeout_s=5))
        assert (unknown.status, b"known" in unknown.body) == (500, True)
        assert (await ask(GrpcProbe(port=port, service="good"))).status == 500  # no time, no answer
    async with scripted_server(lambda _: None) as server:
        closed = await ask(GrpcProbe(port=server.port, timeout_s=5))
        assert (closed.status, b"gRPC" in closed.body) == (500, True)
