"""What people and programs send that is wrong, too much or too large: it is told, and everybody else is served on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import grpc
import grpc.aio
import pytest
from cryptography import x509

from benchmarks.loadgen.messages import delta_request
from certs import pem
from certs.csr import build_csr
from certs.keys import KeyKind, generate_key
from certs.spiffe import Spiffe
from discovery.runtime.clock import SystemClock
from discovery.wire.envoy import DeltaDiscoveryRequest, Node
from discovery.wire.istio_ca import CREATE_CERTIFICATE, CertificateRequest, decode_response, encode_request
from discovery.wire.type_urls import ENDPOINT
from tests.kit.fake_sds import secrets_at
from tests.kit.live import LiveDiscovery, live_discovery, until
from tests.kit.live_client import LiveClient, Received, connected
from tests.kit.live_config import served_to
from tests.kit.live_mesh import SecureMesh
from tests.kit.live_proxy import LiveProxy, ProxyNode, live_proxy
from tests.kit.mesh_ca import MeshCa

CASES = Path(__file__).parent / "cases"
SHOP = ProxyNode(namespace="shop", interception="REDIRECT")
STOCK = "outbound|80||stock.shop.svc.cluster.local"

ENTRY = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: stock-2, namespace: shop}}
spec: {{address: 127.0.0.{last}, labels: {{app: stock}}}}
"""


class Shop(NamedTuple):
    """The server on a small mesh, and one sidecar of it."""

    discovery: LiveDiscovery
    client: LiveClient
    address: str


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """Settled, with nothing counted yet."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "mesh.yaml").write_text((CASES / "two-namespaces.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    async with live_discovery(tmp_path, config) as discovery:
        address = f"127.0.0.1:{discovery.grpc}"
        async with connected(LiveClient(SHOP), address) as client:
            await client.ready()
            client.forget()
            yield Shop(discovery, client, address)


async def test_a_file_cut_short(shop: Shop) -> None:
    """The last good version serves on, the finding names file and line in the log and at the endpoint, others go on."""
    shop.discovery.write("entry.yaml", ENTRY.format(last=31))
    await shop.client.until(lambda: shop.client.about(STOCK))
    shop.client.forget()
    text = ENTRY.format(last=32)
    shop.discovery.write("entry.yaml", text[: text.index("labels") + 10])  # "labels: {a"
    finding = await shop.discovery.finding(r"entry\.yaml")
    assert "'line': 5" in finding or "entry.yaml:5" in finding, finding
    await shop.discovery.program.said(r"entry\.yaml")
    shop.discovery.write("third.yaml", ENTRY.format(last=33).replace("stock-2", "stock-3"))
    await shop.client.until(lambda: shop.client.received)
    assert shop.client.received == [Received("EDS", (STOCK,))]
    text = str((await served_to(shop.discovery, "web-0.shop"))["endpoint"][STOCK])
    assert "127.0.0.31" in text
    assert "127.0.0.33" in text
    assert "127.0.0.32" not in text
    shop.discovery.write("entry.yaml", ENTRY.format(last=34))

    async def clean() -> bool:
        return not (await shop.discovery.debug("push_status"))["configuration"]

    await until(clean, lambda: shop.discovery.program.text)


def many_services(count: int, *, limit_of_the_last: int) -> str:
    """A long file: a Service, a WorkloadEntry and a DestinationRule each."""
    return "".join(
        f"""
apiVersion: v1
kind: Service
metadata:
  name: many-{number}
  namespace: shop
spec:
  clusterIP: 10.{97 + number // 250}.0.{number % 250 + 1}
  ports:
    - name: http
      port: 80
  selector: {{app: many-{number}}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata:
  name: many-{number}
  namespace: shop
spec:
  address: 127.0.1.1
  labels: {{app: many-{number}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: many-{number}
  namespace: shop
spec:
  host: many-{number}
  trafficPolicy:
    connectionPool:
      tcp:
        maxConnections: {limit_of_the_last if number == count - 1 else 1}
---"""
        for number in range(count)
    )


async def test_a_file_of_ten_thousand_lines(shop: Shop) -> None:
    """It is served whole; one edited line in it is one cluster on the wire, and the endpoints it is warmed with."""
    text = many_services(310, limit_of_the_last=1)
    assert text.count("\n") >= 10_000
    shop.discovery.write("many.yaml", text)
    last = "outbound|80||many-309.shop.svc.cluster.local"
    await shop.client.holds(last)
    await shop.client.until(lambda: shop.client.about("80/many-309."))
    shop.client.forget()
    shop.discovery.write("many.yaml", many_services(310, limit_of_the_last=2))
    await shop.client.until(lambda: shop.client.about(last))
    shop.discovery.write("fence.yaml", ENTRY.format(last=31))
    await shop.client.until(lambda: shop.client.about(STOCK))
    changed = {name for received in shop.client.received for name in received.names}
    assert changed == {last, STOCK}
    assert [r for r in shop.client.received if r.type == "CDS"] == [Received("CDS", (last,))]


@pytest.mark.envoy
async def test_a_csr_that_asks_for_another_identity(tmp_path: Path) -> None:
    """The certificate carries the caller's identity whatever the request asks for; without a token there is none."""
    mesh = SecureMesh(tmp_path, (CASES / "two-namespaces.yaml").read_text(encoding="utf-8"))
    key = generate_key(KeyKind.P256)
    wanted = Spiffe(trust_domain="cluster.local", namespace="istio-system", service_account="admin")
    csr = build_csr(key, wanted)
    request = encode_request(CertificateRequest(csr=csr.decode(), validity_s=600))
    impersonation = encode_request(
        CertificateRequest(csr=csr.decode(), validity_s=600, metadata={"ImpersonatedIdentity": str(wanted)})
    )
    async with mesh.discovery() as discovery:
        credentials = grpc.ssl_channel_credentials(mesh.root)
        async with grpc.aio.secure_channel(f"localhost:{discovery.secure}", credentials) as channel:
            sign = channel.unary_unary(CREATE_CERTIFICATE, None, None)
            bearer = (("authorization", f"Bearer {mesh.token('stock', namespace='shop')}"),)
            chain = decode_response(await sign(request, metadata=bearer, timeout=10))
            for message, metadata in ((request, ()), (impersonation, bearer)):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await sign(message, metadata=metadata, timeout=10)
                assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        await discovery.program.said("certificate request refused.*asked to be")
    (leaf,) = pem.load_certificates(chain[0].encode(), where="the answer")
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == ["spiffe://cluster.local/ns/shop/sa/stock"]
    lifetime = leaf.not_valid_after_utc - SystemClock().now()
    assert lifetime.total_seconds() <= 601


async def test_a_client_that_floods(shop: Shop) -> None:
    """It is served at a bounded rate; every change still reaches the others, as one response each."""
    node = Node(**ProxyNode(namespace="bank", name="flood-0").to_data())
    first = DeltaDiscoveryRequest(node=node, type_url=ENDPOINT, resource_names_subscribe=["x"]).SerializeToString()
    answers = 0
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(shop.address))
        method = channel.stream_stream(
            "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", None, None
        )
        call = method(None)

        async def flood() -> None:
            await call.write(first)
            for number in range(100_000):
                await call.write(delta_request(ENDPOINT, subscribe=frozenset({f"outbound|{number}||nobody.example"})))

        async def drain() -> None:
            nonlocal answers
            while isinstance(await call.read(), bytes):
                answers += 1

        began = clock.monotonic()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(flood()), group.create_task(drain())]
            for last in range(31, 41):
                shop.client.forget()
                shop.discovery.write("entry.yaml", ENTRY.format(last=last))
                await shop.client.until(lambda: shop.client.received)
                assert shop.client.received == [Received("EDS", (STOCK,))]
            took = clock.monotonic() - began
            for task in tasks:
                task.cancel()
        call.cancel()
    assert took < 15
    assert answers <= 2000 + 200 * took + 10


BAD_ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec:
  hosts: [cart]
  http: [{route: [{destination: {host: cart}, headers: {request: {set: {x-bad: "%NO_SUCH_COMMAND%"}}}}]}]
"""

GOOD_ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: shop}}
spec: {{hosts: [{name}], http: [{{timeout: {seconds}s, route: [{{destination: {{host: {name}}}}}]}}]}}
"""


async def timeout_of(proxy: LiveProxy, host: str) -> str:
    """The timeout that Envoy has for a host; empty where there is none."""
    dump = next(config for config in await proxy.config() if config["@type"].endswith(".RoutesConfigDump"))
    for entry in dump.get("dynamic_route_configs", []):
        for virtual_host in entry["route_config"].get("virtual_hosts", []):
            if f"{host}.shop.svc" in virtual_host["name"]:
                return str(virtual_host["routes"][0]["route"].get("timeout", ""))
    return ""


@pytest.mark.envoy
@pytest.mark.parametrize("delta", [True, False], ids=["delta", "sotw"])
async def test_what_an_envoy_rejects(tmp_path: Path, delta: bool) -> None:
    """The rejection is told; the last good route stays, others of the same file are taken; a mended one is taken."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "mesh.yaml").write_text((CASES / "two-namespaces.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    ca = MeshCa(SystemClock().now())
    sds = tmp_path / "sds"
    async with (
        secrets_at(sds, ca, ca.pair(uri="spiffe://cluster.local/ns/shop/sa/web")),
        live_discovery(tmp_path, config) as discovery,
        live_proxy(tmp_path, discovery, SHOP, delta=delta, sds=sds) as proxy,
    ):
        await proxy.until_live()
        discovery.write("cart.yaml", GOOD_ROUTE.format(name="cart", seconds=7))

        async def taken(name: str, seconds: int) -> bool:
            return await timeout_of(proxy, name) == f"{seconds}s"

        await until(lambda: taken("cart", 7), lambda: proxy.program.text)
        discovery.write("cart.yaml", BAD_ROUTE + "---" + GOOD_ROUTE.format(name="stock", seconds=8))

        async def told() -> bool:
            return "NO_SUCH_COMMAND" in str((await discovery.debug("push_status"))["rejections"])

        await until(told, lambda: discovery.program.text)
        if delta:  # without VHDS the routes of a port are one resource
            await until(lambda: taken("stock", 8), lambda: f"{discovery.program.text}\n{proxy.program.text}")
        assert await timeout_of(proxy, "cart") == "7s"
        discovery.write("cart.yaml", GOOD_ROUTE.format(name="cart", seconds=9))
        await until(lambda: taken("cart", 9), lambda: f"{discovery.program.text}\n{proxy.program.text}")
        discovery.write("stock.yaml", GOOD_ROUTE.format(name="stock", seconds=10))
        await until(lambda: taken("stock", 10), lambda: f"{discovery.program.text}\n{proxy.program.text}")
