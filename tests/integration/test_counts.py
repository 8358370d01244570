"""What one change costs on the wire, at the real server: the resource that changed, to those who watch it, and no more.

"Nothing" is shown by a fence: a change that everybody sees. What comes before it was sent for the change in question.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmarks.loadgen.payload import Variant
from tests.kit.live import LiveDiscovery, live_discovery
from tests.kit.live_client import LiveClient, Received, connected
from tests.kit.live_proxy import ProxyNode

CASES = Path(__file__).parent / "cases"
STOCK = "outbound|80||stock.shop.svc.cluster.local"

ENTRY = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: stock-2, namespace: shop}}
spec: {{address: 127.0.0.{last}, labels: {{app: stock}}}}
"""

ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: stock, namespace: shop}}
spec: {{hosts: [stock], http: [{{timeout: {seconds}s, route: [{{destination: {{host: stock}}}}]}}]}}
"""

RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: stock, namespace: shop}}
spec: {{host: stock, trafficPolicy: {{connectionPool: {{tcp: {{maxConnections: {limit}}}}}}}}}
"""

GATEWAY_API = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: stock, namespace: shop}}
spec: {{parentRefs: [{{group: "", kind: Service, name: stock}}], rules: [{{timeouts: {{request: {seconds}s}}}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: stock, namespace: shop}}
spec: {{gatewayClassName: istio, listeners: [{{name: http, port: 80{seconds}, protocol: HTTP}}]}}
"""

FENCE = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: fence, namespace: istio-system}}
spec: {{hosts: [fence-{number}.example], resolution: STATIC, ports: [{{number: 9999, name: tcp, protocol: TCP}}]}}
"""

variants = pytest.mark.parametrize("variant", list(Variant))


class Mesh(NamedTuple):
    """The server, a client of each namespace, and fences."""

    discovery: LiveDiscovery
    shop: LiveClient
    bank: LiveClient
    numbers: count[int]

    async def fence(self) -> None:
        """Return once both clients have a change that came after all before."""
        number = next(self.numbers)
        self.discovery.write("fence.yaml", FENCE.format(number=number))
        for client in (self.shop, self.bank):
            await client.holds(f"outbound|9999||fence-{number}.example")

    def forget(self) -> None:
        """Count from now on."""
        self.shop.forget()
        self.bank.forget()


def besides_fences(client: LiveClient) -> list[Received]:
    """What a client received, fences (port 9999) left out; SotW names all clusters again, so these do not count."""
    if client.variant is Variant.SOTW:
        return [r for r in client.received if r.type not in ("CDS", "LDS") and "9999" not in "".join(r.names)]
    return [r for r in client.received if "9999" not in "".join(r.names + r.removed)]


@pytest.fixture
async def mesh(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Mesh]:
    """Everything connected and settled."""
    variant = request.node.callspec.params["variant"]
    config = tmp_path / "config"
    config.mkdir()
    (config / "mesh.yaml").write_text((CASES / "two-namespaces.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    async with AsyncExitStack() as stack:
        discovery = await stack.enter_async_context(live_discovery(tmp_path, config))
        address = f"127.0.0.1:{discovery.grpc}"
        clients = [LiveClient(ProxyNode(namespace=ns, interception="REDIRECT"), variant) for ns in ("shop", "bank")]
        for client in clients:
            await stack.enter_async_context(connected(client, address))
        running = Mesh(discovery, clients[0], clients[1], count(1))
        await running.fence()
        running.forget()
        yield running


@variants
async def test_one_endpoint(mesh: Mesh, variant: Variant) -> None:
    """A new endpoint is one assignment for those who watch the service, and nothing for others."""
    mesh.discovery.write("entry.yaml", ENTRY.format(last=31))
    await mesh.shop.until(lambda: mesh.shop.received)
    await mesh.fence()
    assert besides_fences(mesh.shop) == [Received("EDS", (STOCK,))]
    assert besides_fences(mesh.bank) == []


@variants
async def test_one_virtual_service(mesh: Mesh, variant: Variant) -> None:
    """A changed route is one virtual host (without VHDS: the one route configuration) for those who see the service."""
    mesh.discovery.write("route.yaml", ROUTE.format(seconds=1))
    await mesh.shop.until(lambda: mesh.shop.received)
    mesh.forget()
    mesh.discovery.write("route.yaml", ROUTE.format(seconds=2))
    await mesh.shop.until(lambda: mesh.shop.received)
    await mesh.fence()
    delta = Received("VHDS", ("80/stock.shop.svc.cluster.local:80",))
    assert besides_fences(mesh.shop) == [delta if variant is Variant.DELTA else Received("RDS", ("80",))]
    assert besides_fences(mesh.bank) == []


@variants
async def test_one_destination_rule(mesh: Mesh, variant: Variant) -> None:
    """A changed policy is one cluster, and the assignment that Envoy waits for before it uses the cluster."""
    mesh.discovery.write("rule.yaml", RULE.format(limit=1))
    await mesh.shop.until(lambda: len(mesh.shop.about(STOCK)) >= 2)
    await mesh.fence()
    if variant is Variant.DELTA:
        assert [r for r in besides_fences(mesh.shop) if r.type == "CDS"] == [Received("CDS", (STOCK,))]
        assert {name for r in besides_fences(mesh.shop) for name in r.names} == {STOCK}
    assert besides_fences(mesh.bank) == []


@variants
async def test_no_change(mesh: Mesh, variant: Variant) -> None:
    """A file written again as it was, a comment, another order of keys, and an object nobody sees send nothing."""
    text = (CASES / "two-namespaces.yaml").read_text(encoding="utf-8")
    mesh.discovery.write("mesh.yaml", text)
    await mesh.fence()
    mesh.discovery.write("mesh.yaml", "# other words\n" + text)
    await mesh.fence()
    swapped = ENTRY.format(last=31).replace("namespace: shop", "namespace: nowhere")
    mesh.discovery.write("elsewhere.yaml", swapped)
    await mesh.fence()
    assert (besides_fences(mesh.shop), besides_fences(mesh.bank)) == ([], [])


@variants
async def test_the_gateway_api(mesh: Mesh, variant: Variant) -> None:
    """It is read and shown, and no proxy hears of it yet, whatever becomes of it."""
    for seconds in (1, 2):
        mesh.discovery.write("routes.yaml", GATEWAY_API.format(seconds=seconds))
        await mesh.fence()
        shown = {item["kind"]: item["spec"] for item in await mesh.discovery.debug("configz")}
        assert shown["HTTPRoute"]["rules"] == [{"timeouts": {"request": f"{seconds}s"}}]
        assert shown["Gateway"]["listeners"][0]["port"] == 800 + seconds
    mesh.discovery.remove("routes.yaml")
    await mesh.fence()
    assert (besides_fences(mesh.shop), besides_fences(mesh.bank)) == ([], [])


async def test_the_gateway_api_turned_off(tmp_path: Path) -> None:
    """With `PILOT_ENABLE_GATEWAY_API=false` its objects are not even shown; others are."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "route.yaml").write_text(
        ROUTE.format(seconds=1) + "---" + GATEWAY_API.format(seconds=1), encoding="utf-8"
    )
    for env, kinds in (
        ({"PILOT_ENABLE_GATEWAY_API": "false"}, {"VirtualService"}),
        ({}, {"VirtualService", "HTTPRoute", "Gateway"}),
    ):
        async with live_discovery(tmp_path, config, env=env) as discovery:
            assert {item["kind"] for item in await discovery.debug("configz")} == kinds


async def test_a_reconnecting_client_is_sent_what_it_lacks(tmp_path: Path) -> None:
    """With current versions nothing comes again; after changes in between only what changed, gone things as removed."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "mesh.yaml").write_text((CASES / "two-namespaces.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    client = LiveClient(ProxyNode(namespace="shop", interception="REDIRECT"))
    async with live_discovery(tmp_path, config) as discovery:
        address = f"127.0.0.1:{discovery.grpc}"
        discovery.write("fence.yaml", FENCE.format(number=1))
        async with connected(client, address):
            await client.holds("outbound|9999||fence-1.example")
        client.forget()
        async with connected(client, address):
            discovery.write("fence.yaml", FENCE.format(number=2))
            await client.holds("outbound|9999||fence-2.example")
        assert besides_fences(client) == []
        client.forget()
        other = LiveClient(ProxyNode(namespace="shop", name="other-0", interception="REDIRECT"))
        async with connected(other, address):
            discovery.write("entry.yaml", ENTRY.format(last=31))
            discovery.write("route.yaml", ROUTE.format(seconds=3))
            await other.until(lambda: len(other.session.held) > 0 and other.about("80/stock"))
            discovery.write("fence.yaml", FENCE.format(number=3))
            await other.holds("outbound|9999||fence-3.example")
        async with connected(client, address):
            await client.holds("outbound|9999||fence-3.example")
            await client.until(lambda: client.about(STOCK) and client.about("80/stock"))
        assert {name for r in besides_fences(client) for name in r.names} == {
            STOCK,
            "80/stock.shop.svc.cluster.local:80",
        }
        gone = {name for r in client.received for name in r.removed}
        assert "outbound|9999||fence-2.example" in gone
