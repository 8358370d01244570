"""Spans of real Envoys at a collector: by a provider of the mesh, and by the tracer of a proxy's own configuration."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc.aio
import pytest

from tests.kit.free_ports import free_ports
from tests.kit.live_backend import Backend, call, serving_backend
from tests.kit.live_mesh import Pair, SecureMesh, serves, workloads

pytestmark = [pytest.mark.envoy, pytest.mark.timeout(120)]

CASES = Path(__file__).parent / "cases"
HOST = "collector.example"
EVERYTHING = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: collector, namespace: default}}
spec:
  hosts: [{host}]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{{number: {port}, name: {protocol}, protocol: {protocol}}}]
  endpoints: [{{address: 127.0.0.1}}]
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: mesh, namespace: istio-system}}
spec: {{tracing: [{{{providers}}}]}}
"""


def write(mesh: SecureMesh, *, port: int, provider: str, protocol: str = "http") -> None:
    """A collector that all workloads see; with a provider, all spans go there."""
    by_name = "providers: [{name: own}], randomSamplingPercentage: 100"
    text = EVERYTHING.format(host=HOST, port=port, protocol=protocol, providers=by_name)
    (mesh.config / "collector.yaml").write_text(text if provider else text.partition("---")[0], encoding="utf-8")
    file = mesh.directory / "etc/istio/config/mesh"
    file.parent.mkdir(parents=True)
    said = {provider: {"service": HOST, "port": port}} if provider else {}
    if provider == "opentelemetry" and protocol == "http":
        said[provider]["http"] = {"path": "/v1/traces", "timeout": "5s"}
    providers = [{"name": "own", **said}] if provider else []
    file.write_text(json.dumps({"extensionProviders": providers}), encoding="utf-8")


@asynccontextmanager
async def traced(
    directory: Path, *, port: int, provider: str = "", protocol: str = "http", config: dict[str, object] | None = None
) -> AsyncIterator[tuple[Pair, str]]:
    """Caller and called, the caller's configuration as given; gives also what the caller's side has said."""
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(serving_backend("api"))
        port_in, port_out = free_ports(2)
        text = (CASES / "two-workloads.yaml").read_text(encoding="utf-8")
        opening = f", {{port: {{number: {port}, protocol: TCP, name: spans}}, bind: 127.0.0.60, hosts: ['./*']}}]"
        text = text.replace('"istio-system/*"]}]', '"istio-system/*"]}' + opening)
        for name, value in (("PORT_IN", port_in), ("PORT_OUT", port_out), ("PORT_APP", backend.port)):
            text = text.replace(name, str(value))
        mesh = SecureMesh(directory, text)
        write(mesh, port=port, provider=provider, protocol=protocol)
        discovery = await stack.enter_async_context(mesh.discovery())
        pair = workloads(mesh, backend, ("127.0.0.60", port_out))
        caller = await stack.enter_async_context(pair.caller.running(discovery, config=config))
        api = await stack.enter_async_context(pair.api.running(discovery))
        await serves(pair, caller, api)
        await call(pair.out, "/bought", host=pair.host)
        yield pair, caller.text


def headers_seen(backend: Backend) -> dict[str, str]:
    """Of the request that the application got."""
    (request,) = [request for request in backend.asked if request.path == "/bought"]
    return dict(request.headers)


async def reported(collector: Backend, words: bytes) -> bytes:
    """The first report that holds these words."""
    async with asyncio.timeout(30):
        while True:
            for request in collector.asked:
                if words in request.body:
                    return request.body
            await collector.asked_times(len(collector.asked) + 1)


async def test_zipkin_by_telemetry(tmp_path: Path) -> None:
    """Each request is a span of the caller, with the mesh's tags; the application gets the trace to hand on."""
    async with (
        serving_backend("collector") as collector,
        traced(tmp_path, port=collector.port, provider="zipkin") as (pair, _),
    ):
        spans = json.loads(await reported(collector, b"/bought"))
        (span,) = [span for span in spans if "/bought" in span["tags"].get("http.url", "")]
        assert span["localEndpoint"]["serviceName"] == "caller.default"
        assert (span["kind"], span["tags"]["istio.namespace"]) == ("CLIENT", "default")
        assert len(span["traceId"]) == 32
        assert headers_seen(pair.backend)["x-b3-traceid"] == span["traceId"]
        assert {request.path for request in collector.asked} == {"/api/v2/spans"}


async def test_zipkin_by_the_bootstrap(tmp_path: Path) -> None:
    """ProxyConfig alone is enough: its tracer stands in the bootstrap, and the control plane has it used."""
    async with serving_backend("collector") as collector:
        config: dict[str, object] = {"tracing": {"zipkin": {"address": f"127.0.0.1:{collector.port}"}, "sampling": 100}}
        async with traced(tmp_path, port=collector.port, config=config) as (pair, _):
            spans = json.loads(await reported(collector, b"/bought"))
            (span,) = [span for span in spans if "/bought" in span["tags"].get("http.url", "")]
            assert headers_seen(pair.backend)["x-b3-traceid"] == span["traceId"]


async def test_open_telemetry_by_http(tmp_path: Path) -> None:
    """A report names whose spans it has, as the agent told its Envoy."""
    async with (
        serving_backend("collector") as collector,
        traced(tmp_path, port=collector.port, provider="opentelemetry") as (pair, _),
    ):
        report = await reported(collector, b"/bought")
        assert b"caller.default" in report
        assert "traceparent" in headers_seen(pair.backend)


async def test_open_telemetry_by_grpc(tmp_path: Path) -> None:
    """The same over gRPC, which is what providers mean unless they speak of HTTP."""
    reports: asyncio.Queue[bytes] = asyncio.Queue()

    async def export(request: bytes, _context: object) -> bytes:
        reports.put_nowait(request)
        return b""

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(export)
    name = "opentelemetry.proto.collector.trace.v1.TraceService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"Export": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with traced(tmp_path, port=port, provider="opentelemetry", protocol="grpc"), asyncio.timeout(30):
            while b"/bought" not in (report := await reports.get()):
                pass
            assert b"caller.default" in report
    finally:
        await server.stop(0)
