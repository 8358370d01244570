"""The whole control plane in this process: it starts, serves, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import structlog

from certs.csr import build_csr
from certs.describe import describe
from certs.pem import load_certificates
from discovery.app import run_discovery
from discovery.auth.dev_issuer import DevIssuer
from discovery.ctl.compare import compare
from discovery.ctl.dump import Dump
from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from discovery.runtime.logs import Logger, configure_logging
from discovery.settings import FLAGS, Settings, load_settings
from discovery.wire.envoy import DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node
from discovery.wire.istio_ca import SERVICE as SERVICE_NAME
from discovery.wire.istio_ca import CertificateRequest, decode_response, encode_request
from discovery.wire.type_urls import CLUSTER
from tests.kit.certs import key, spiffe
from tests.kit.free_ports import free_port
from tests.kit.live_envoy import live_envoy

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.1.0.1, ports: [{name: http, port: 80}]}
"""


@pytest.fixture(autouse=True)
def logging_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The program sets up logging of the whole process; the next test finds it as it was."""
    monkeypatch.setattr(Logger, "backend", Logger.__dict__["backend"])
    configure_logging()
    yield
    structlog.reset_defaults()


def settings(config_dir: Path, **flags: str) -> Settings:
    given = {flag.field: flag.default for flag in FLAGS}
    off = {"grpcAddr": "", "secureGRPCAddr": "", "httpAddr": "", "monitoringAddr": "127.0.0.1:0"}
    mesh = {"meshConfig": str(config_dir / "mesh")}
    return load_settings(given | off | mesh | {"configDir": str(config_dir)} | flags, {})


@pytest.fixture
def config_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one service; temporary files of the process go beside it."""
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "web.yaml").write_text(SERVICE, encoding="utf-8")
    return folder


async def ready(port: int) -> None:
    """Return once the control plane says that it is ready."""
    async with asyncio.timeout(20):
        while True:
            try:
                if (await fetch(TcpTarget("127.0.0.1", port), "/ready", timeout_s=5)).status == 200:
                    return
            except HttpClientError:
                pass  # not bound yet
            await asyncio.sleep(0)


async def first_clusters(port: int) -> set[str]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        path = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
        call = channel.stream_stream(path, None, None)(None)
        node = Node(id="sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local")
        await call.write(DeltaDiscoveryRequest(node=node, type_url=CLUSTER).SerializeToString())
        response = DeltaDiscoveryResponse.FromString(await call.read())
        call.cancel()
        return {entry.name for entry in response.resources}


async def test_starts_serves_and_stops(config_dir: Path) -> None:
    """What is in the directory is served; SIGTERM ends it with status 0, and no task, file or handler stays."""
    grpc_port, http_port = free_port(), free_port()
    wanted = settings(config_dir, grpcAddr=f"127.0.0.1:{grpc_port}", monitoringAddr=f"127.0.0.1:{http_port}")
    before = asyncio.all_tasks()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(run_discovery(wanted))
        await ready(http_port)
        assert "outbound|80||web.shop.svc.cluster.local" in await first_clusters(grpc_port)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await running == 0
    assert asyncio.all_tasks() <= before
    assert list((config_dir.parent / "private").iterdir()) == []
    with pytest.raises(HttpClientError):
        await fetch(TcpTarget("127.0.0.1", http_port), "/ready", timeout_s=5)


async def test_without_a_secure_port_the_authority_is_asked_in_plaintext(config_dir: Path) -> None:
    """As at istiod: an agent of a mesh without TLS to the control plane still gets its certificate, for a token."""
    grpc_port, http_port = free_port(), free_port()
    tokens = config_dir.parent / "tokens"
    wanted = settings(
        config_dir,
        grpcAddr=f"127.0.0.1:{grpc_port}",
        monitoringAddr=f"127.0.0.1:{http_port}",
        devTokenDir=str(tokens),
    )
    token = DevIssuer.open(tokens).issue(
        namespace="shop", service_account="web", now=datetime.now(UTC), lifetime=timedelta(hours=1)
    )
    csr = build_csr(key(), spiffe("other", "somebody")).decode()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(run_discovery(wanted))
        await ready(http_port)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
            call = channel.unary_unary(f"/{SERVICE_NAME}/CreateCertificate", None, None)
            request = encode_request(CertificateRequest(csr=csr))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(request)
            chain = decode_response(await call(request, metadata=(("authorization", f"Bearer {token}"),)))
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await running == 0
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert describe(load_certificates(chain[0].encode(), where="leaf")[0]).names == (str(spiffe("shop", "web")),)


async def test_a_taken_port_is_said_and_ends_the_start(config_dir: Path) -> None:
    """Exit status 1, with the address in the log; nothing stays bound."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with structlog.testing.capture_logs() as logs:
            assert await run_discovery(settings(config_dir, monitoringAddr=address)) == 1
    errors = [entry for entry in logs if entry["log_level"] == "error"]
    assert "in use" in errors[0]["reason"]
    assert list((config_dir.parent / "private").iterdir()) == []


async def test_a_start_that_fails_half_way_leaves_nothing_behind(config_dir: Path) -> None:
    """Who is started again and again must not fill the disk, with private directories least of all."""
    half = config_dir.parent / "half"
    half.mkdir()
    (half / "ca-key.pem").write_text("no key", encoding="utf-8")
    with structlog.testing.capture_logs() as logs:
        assert await run_discovery(settings(config_dir, caDir=str(half))) == 1
    (reason,) = [entry["reason"] for entry in logs if entry["log_level"] == "error"]
    assert str(half) in reason
    assert list((config_dir.parent / "private").iterdir()) == []


async def test_a_missing_directory_is_said(config_dir: Path) -> None:
    """Exit status 1; the reason names the directory."""
    with structlog.testing.capture_logs() as logs:
        assert await run_discovery(settings(config_dir / "nowhere")) == 1
    errors = [entry for entry in logs if entry["log_level"] == "error"]
    assert "nowhere" in errors[0]["reason"]


def bootstrap(ads_port: int) -> dict[str, Any]:
    """An Envoy that asks for everything over delta ADS."""
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    http2 = {"@type": f"type.googleapis.com/{options}", "explicit_http_config": {"http2_protocol_options": {}}}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": ads_port}}
    ads = {"ads": {}, "resource_api_version": "V3"}
    service = {"envoy_grpc": {"cluster_name": "xds-grpc"}}
    return {
        "node": {
            "id": "sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local",
            "cluster": "web",
            "metadata": {"NAMESPACE": "shop", "INTERCEPTION_MODE": "NONE"},
        },
        "dynamic_resources": {
            "ads_config": {"api_type": "DELTA_GRPC", "transport_api_version": "V3", "grpc_services": [service]},
            "cds_config": ads,
            "lds_config": ads,
        },
        "static_resources": {
            "clusters": [
                {
                    "name": "xds-grpc",
                    "type": "STATIC",
                    "typed_extension_protocol_options": {options: http2},
                    "load_assignment": {
                        "cluster_name": "xds-grpc",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
                    },
                }
            ]
        },
    }


@pytest.mark.envoy
async def test_a_real_envoy_runs_what_the_debug_endpoints_show(config_dir: Path, tmp_path: Path) -> None:
    """Its own dump and ours are equal, virtual hosts that came on their own included; every type is in step."""
    (config_dir / "mesh").write_text("enableAutoMtls: false\n", encoding="utf-8")  # there is no agent with certificates
    (config_dir / "web.yaml").write_text(f"{SERVICE}---{SERVICE.replace('web', 'api')}", encoding="utf-8")
    grpc_port, http_port = free_port(), free_port()
    wanted = settings(config_dir, grpcAddr=f"127.0.0.1:{grpc_port}", monitoringAddr=f"127.0.0.1:{http_port}")
    envoy = live_envoy(tmp_path, bootstrap(grpc_port))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(run_discovery(wanted))
        await ready(http_port)
        try:
            admin = await asyncio.to_thread(envoy.__enter__)
            host, _, port = admin.rpartition(":")
            runs = await fetch(TcpTarget(host, int(port)), "/config_dump", timeout_s=10)
            ours = TcpTarget("127.0.0.1", http_port)
            served = await fetch(ours, "/debug/config_dump?proxyID=web-1.shop", timeout_s=10)
            (status,) = json.loads((await fetch(ours, "/debug/syncz", timeout_s=10)).body)
        finally:
            await asyncio.to_thread(envoy.__exit__, None, None, None)
            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(30):
                assert await running == 0
    dumps = [Dump(json.loads(answer.body)) for answer in (served, runs)]
    names = {host["name"] for route in dumps[1].routes(static=False) for host in route["virtualHosts"]}
    assert {"80/web.shop.svc.cluster.local:80", "80/api.shop.svc.cluster.local:80"} <= names
    assert [found.diff for found in compare(*dumps)] == ["", "", ""]
    assert {state["status"] for state in status["resources"].values()} == {"SYNCED"}
