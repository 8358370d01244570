"""A live Envoy between the agent's two sockets: configuration through the relay, its certificate over SDS.

The control plane and the CA are scripted; Envoy, gRPC, TLS and the agent's servers are the real ones.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509

from agent.sds.metrics import SecretMetrics
from agent.sds.secrets import SecretOptions, Secrets
from agent.sds.server import SdsServer, SdsServerOptions
from agent.sds.workload import IssueOptions
from agent.xds_proxy.dial import UpstreamOptions
from agent.xds_proxy.metrics import RelayMetrics
from agent.xds_proxy.server import XdsProxy, XdsProxyOptions
from discovery.runtime.clock import SystemClock
from discovery.wire import type_urls
from discovery.wire.envoy import DeltaDiscoveryRequest, DeltaDiscoveryResponse, Listener, pack, serialize
from tests.kit.envoy_types import load_type
from tests.kit.eventually import eventually
from tests.kit.fake_ca import FakeSigner
from tests.kit.fake_istiod import FakeIstiod, FakeStream, sotw_response
from tests.kit.inline_x509 import P256_KEY, inline_x509
from tests.kit.mesh_ca import MeshCa
from tests.kit.prerequisites import envoy_binary

pytestmark = pytest.mark.envoy

CLOCK = SystemClock()
IDENTITY = "spiffe://cluster.local/ns/default/sa/app"
GREETING = b"hello from behind mTLS\n"


def http2_over(name: str, socket: Path) -> dict[str, Any]:
    """A static cluster that speaks gRPC to one of the agent's sockets."""
    http = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": http,
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": str(socket)}}}}]}],
        },
    }


def bootstrap(api_type: str, directory: Path) -> dict[str, Any]:
    """What the agent's bootstrap has of interest here."""
    ads = {
        "api_type": api_type,
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
    }
    return {
        "node": {"id": "sidecar~127.0.0.1~app.default~default.svc.cluster.local", "cluster": "app.default"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "dynamic_resources": {
            "ads_config": ads,
            "cds_config": {"ads": {}, "resource_api_version": "V3"},
            "lds_config": {"ads": {}, "resource_api_version": "V3"},
        },
        "static_resources": {
            "clusters": [http2_over("xds-grpc", directory / "XDS"), http2_over("sds-grpc", directory / "uds/socket")]
        },
    }


def sds(name: str) -> dict[str, Any]:
    """A reference to a secret of the agent."""
    return {
        "name": name,
        "sds_config": {
            "resource_api_version": "V3",
            "initial_fetch_timeout": {"seconds": 0},
            "api_config_source": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "sds-grpc"}}],
            },
        },
    }


def mtls_listener() -> bytes:
    """A listener that demands a certificate of the mesh and echoes."""
    context = load_type("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext")(
        require_client_certificate={"value": True},
        common_tls_context={
            "tls_certificate_sds_secret_configs": [sds("default")],
            "validation_context_sds_secret_config": sds("ROOTCA"),
        },
    )
    echo = load_type("envoy.extensions.filters.network.echo.v3.Echo")()
    listener = Listener(
        name="inbound",
        address={"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        filter_chains=[
            {
                "transport_socket": {"name": "tls", "typed_config": pack(context)},
                "filters": [{"name": "echo", "typed_config": pack(echo)}],
            }
        ],
    )
    return serialize(listener)


class ControlPlane:
    """Answers Envoy's subscriptions to clusters and listeners, and remembers what it was told."""

    def __init__(self) -> None:
        self.acked: set[str] = set()
        self.nacks: list[str] = []
        self.held: Mapping[str, str] = {}
        self.sent = 0
        self.progress = asyncio.Event()

    async def serve(self, stream: FakeStream) -> None:
        """Speak on one stream until it ends."""
        while not stream.closed.is_set():
            request = await stream.read(within_s=60)
            if request.error_detail.message:
                self.nacks.append(request.error_detail.message)
            elif request.response_nonce:
                self.acked.add(request.type_url)
            elif request.type_url == type_urls.LISTENER and getattr(request, "initial_resource_versions", None):
                assert isinstance(request, DeltaDiscoveryRequest)
                self.held = dict(request.initial_resource_versions)
            else:
                await self.answer(stream, request.type_url)
            self.progress.set()

    async def answer(self, stream: FakeStream, type_url: str) -> None:
        listeners = (("inbound", mtls_listener()),) if type_url == type_urls.LISTENER else ()
        self.sent += 1
        nonce = f"n{self.sent}"
        if stream.rpc.startswith("Delta"):
            resources = [
                {"name": name, "version": "1", "resource": {"type_url": type_url, "value": data}}
                for name, data in listeners
            ]
            await stream.write(DeltaDiscoveryResponse(type_url=type_url, nonce=nonce, resources=resources))
            return
        await stream.write(sotw_response(type_url, *(data for _, data in listeners), nonce=nonce))

    async def until(self, told: str) -> None:
        """Wait until a type was accepted."""
        async with asyncio.timeout(20):
            while told not in self.acked:
                self.progress.clear()
                await self.progress.wait()


class Bench:
    def __init__(self, secrets: Secrets, signer: FakeSigner, directory: Path) -> None:
        self.secrets = secrets
        self.signer = signer
        self.directory = directory

    async def admin(self, path: str) -> str:
        """GET a page of Envoy's admin."""
        url = f"http://{(self.directory / 'admin').read_text()}{path}"
        return await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read().decode())

    async def stat(self, name: str) -> int:
        """One of Envoy's counters or gauges."""
        page = await self.admin(f"/stats?filter=^{name}$")
        return int(page.rpartition(": ")[2] or -1)

    async def listener_port(self) -> int:
        """The port of the listener once Envoy accepts connections on it, which is after all its secrets came."""
        await eventually(self._is_live, within_s=20)
        page = json.loads(await self.admin("/listeners?format=json"))
        return int(page["listener_statuses"][0]["local_address"]["socket_address"]["port_value"])

    async def _is_live(self) -> bool:
        return bool(json.loads(await self.admin("/server_info"))["state"] == "LIVE")

    async def greet(self, port: int) -> x509.Certificate:
        """Call the listener with a certificate of the mesh; Envoy's certificate, verified with the mesh's root."""
        context = ssl.create_default_context(cadata=self.signer.ca.root_pem.decode())
        context.check_hostname = False
        client = self.signer.ca.pair(uri="spiffe://cluster.local/ns/default/sa/client")
        client.write(self.directory)
        context.load_cert_chain(self.directory / "cert-chain.pem", self.directory / "key.pem")
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            writer.write(GREETING)
            assert await reader.readexactly(len(GREETING)) == GREETING
            peer = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.close()
        return x509.load_der_x509_certificate(peer)


@asynccontextmanager
async def agent(istiod: FakeIstiod, directory: Path) -> AsyncIterator[Bench]:
    """The agent's two servers and its secrets, as an application would run them."""
    signer = FakeSigner(MeshCa(datetime.now(UTC)), CLOCK)
    issue = IssueOptions(key=msgspec.structs.replace(P256_KEY, identity=IDENTITY))
    secrets = Secrets(
        SecretOptions(issue=issue), signer=signer, x509=inline_x509(), clock=CLOCK, metrics=SecretMetrics()
    )
    upstream = UpstreamOptions(address=istiod.address, tls=False)
    services = (
        secrets,
        SdsServer(SdsServerOptions(socket=directory / "uds/socket"), secrets, clock=CLOCK),
        XdsProxy(
            XdsProxyOptions(socket=directory / "XDS", upstream=upstream),
            x509=inline_x509(),
            clock=CLOCK,
            metrics=RelayMetrics(),
        ),
    )
    async with AsyncExitStack() as bound, asyncio.TaskGroup() as group:
        for service in services:
            await bound.enter_async_context(service)
        tasks = [group.create_task(service.run()) for service in services]
        yield Bench(secrets, signer, directory)
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def envoy(api_type: str, directory: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A live Envoy; killed at the end."""
    config, admin = directory / "envoy.json", directory / "admin"
    config.write_text(json.dumps(bootstrap(api_type, directory)))
    with (directory / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(envoy_binary()),
            *("-c", str(config), "--disable-hot-restart", "--concurrency", "1", "--admin-address-path", str(admin)),
            stderr=log,
        )
        try:
            await eventually(lambda: admin.exists() and admin.stat().st_size > 0, within_s=20)
            yield process
        finally:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("api_type", ["DELTA_GRPC", "GRPC"])
async def test_envoy_is_configured_and_certified_through_the_agent(api_type: str, tmp_path: Path) -> None:
    """Envoy accepts its listener through the relay, serves mTLS with the CA's certificate, and takes each renewal."""
    plane = ControlPlane()
    async with (
        FakeIstiod() as istiod,
        agent(istiod, tmp_path) as bench,
        envoy(api_type, tmp_path),
        asyncio.TaskGroup() as group,
    ):
        serving = group.create_task(plane.serve(await istiod.accept()))
        await plane.until(type_urls.LISTENER)
        port = await bench.listener_port()
        first = await bench.greet(port)
        names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.UniformResourceIdentifier) == [IDENTITY]
        await bench.secrets.set_trust_anchors(MeshCa(datetime.now(UTC)).root_pem)  # makes the agent renew at once

        async def renewed() -> bool:
            return (await bench.greet(port)).serial_number != first.serial_number

        await eventually(renewed)
        assert bench.signer.calls == 2
        assert plane.nacks == []
        assert await bench.stat("listener_manager.lds.update_rejected") == 0
        serving.cancel()


async def test_envoy_keeps_serving_and_tells_what_it_holds(tmp_path: Path) -> None:
    """The control plane dies and returns: Envoy serves on, reconnects through the agent, and needs nothing again."""
    plane = ControlPlane()
    async with AsyncExitStack() as stack:
        first = FakeIstiod()
        await stack.enter_async_context(first)
        bench = await stack.enter_async_context(agent(first, tmp_path))
        await stack.enter_async_context(envoy("DELTA_GRPC", tmp_path))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        serving = group.create_task(plane.serve(await first.accept()))
        await plane.until(type_urls.LISTENER)
        port = await bench.listener_port()
        serving.cancel()
        await first.__aexit__()
        await bench.greet(port)
        async with FakeIstiod(port=first.port) as back:
            plane.acked.clear()
            sent = plane.sent
            again = group.create_task(plane.serve(await back.accept()))
            async with asyncio.timeout(20):
                while not plane.held:
                    plane.progress.clear()
                    await plane.progress.wait()
            await bench.greet(port)
            assert dict(plane.held) == {"inbound": "1"}
            assert plane.sent <= sent + 1  # clusters, of which there were none to hold
            again.cancel()
