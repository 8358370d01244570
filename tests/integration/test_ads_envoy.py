"""A live Envoy on the ADS server, both protocols, with and without VHDS: nothing is rejected, changes take effect."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from discovery.translate.endpoints.lb_endpoint import EndpointFacts, endpoint_encoder
from discovery.wire.envoy import (
    AnyMessage,
    Cluster,
    ClusterLoadAssignment,
    Listener,
    LocalityLbEndpoints,
    Message,
    RouteConfiguration,
    VirtualHost,
    pack,
    serialize,
)
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST
from discovery.xds.server import AdsSettings
from tests.kit.ads_envoy import AdsEnvoy, ads_envoy
from tests.kit.eventually import eventually
from tests.kit.free_ports import free_port
from tests.kit.xds_live import LiveAds, live_ads
from tests.kit.xds_world import HandMade

pytestmark = pytest.mark.envoy

_ADS = {"resource_api_version": "V3", "ads": {}}


def answering(name: str, domain: str, body: str) -> VirtualHost:
    return VirtualHost(
        name=name,
        domains=[domain],
        routes=[{"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": body}}}],
    )


def forwarding(name: str, domain: str, cluster: str) -> VirtualHost:
    return VirtualHost(name=name, domains=[domain], routes=[{"match": {"prefix": "/"}, "route": {"cluster": cluster}}])


def listener(name: str, port: int, **routes: object) -> Listener:
    manager = HttpConnectionManager(
        stat_prefix=name,
        http_filters=[{"name": "envoy.filters.http.router", "typed_config": AnyMessage(**pack(Router()))}],
        **routes,
    )
    return Listener(
        name=name,
        address={"socket_address": {"address": "127.0.0.1", "port_value": port}},
        filter_chains=[{"filters": [{"name": "http", "typed_config": AnyMessage(**pack(manager))}]}],
    )


def cluster(name: str, connect_timeout_s: int = 1) -> Cluster:
    return Cluster(
        name=name,
        type="EDS",
        eds_cluster_config={"eds_config": _ADS, "service_name": name},
        connect_timeout={"seconds": connect_timeout_s},
    )


def assignment(name: str, port: int) -> ClusterLoadAssignment:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return ClusterLoadAssignment(cluster_name=name, endpoints=[{"lb_endpoints": [{"endpoint": {"address": address}}]}])


def valid() -> HandMade:
    """Generators whose stand-ins an Envoy takes."""
    return HandMade(lambda name, _scope: serialize(ClusterLoadAssignment(cluster_name=name)))


class Mesh:
    """One listener with routes by RDS, and a second one that is the upstream of the first."""

    def __init__(self, live: LiveAds) -> None:
        self.live = live
        self.front, self.back, self.other = free_port(), free_port(), free_port()

    def put(self, scope: str, type_url: str, messages: Mapping[str, Message], *, endpoints_only: bool = False) -> None:
        content = {name: serialize(message) for name, message in messages.items()}
        self.live.put(scope, type_url, content, endpoints_only=endpoints_only)

    def hosts(self, *hosts: VirtualHost) -> None:
        """Make these the virtual hosts of route configuration 80, in either form."""
        self.put("shop/80", VIRTUAL_HOST, {host.name: host for host in hosts})
        self.put("shop+vhds", ROUTE, {"80": RouteConfiguration(name="80", vhds={"config_source": _ADS})})
        self.put("shop", ROUTE, {"80": RouteConfiguration(name="80", virtual_hosts=hosts)})

    def fill(self) -> None:
        inline = RouteConfiguration(name="inline", virtual_hosts=[answering("pong", "*", "pong")])
        second = RouteConfiguration(name="inline", virtual_hosts=[answering("pung", "*", "pung")])
        rds = {"config_source": _ADS, "route_config_name": "80"}
        self.put(
            "shop",
            LISTENER,
            {
                "front": listener("front", self.front, rds=rds),
                "back": listener("back", self.back, route_config=inline),
                "other": listener("other", self.other, route_config=second),
            },
        )
        self.put("shop", CLUSTER, {"up": cluster("up"), "spare": cluster("spare")})
        self.put("shop", ENDPOINT, {"up": assignment("up", self.back), "spare": assignment("spare", self.other)})
        self.hosts(self.a, answering("80/b", "b.com", "b1"))

    @property
    def a(self) -> VirtualHost:
        """The host that goes on to the other listener."""
        return forwarding("80/a", "a.com", "up")


VARIANTS = pytest.mark.parametrize(("delta", "vhds"), [(True, True), (True, False), (False, False)])


async def answers(envoy: AdsEnvoy, port: int, host: str, wanted: str, *, within_s: float = 10) -> None:
    async def so() -> bool:
        return await envoy.get(port, host) == wanted

    await eventually(so, within_s=within_s)


@VARIANTS
async def test_changes_take_effect_and_nothing_is_rejected(tmp_path: Path, *, delta: bool, vhds: bool) -> None:
    """Hosts updated, added, removed; a cluster changed without its endpoints; endpoints moved; a new service."""
    async with live_ads(settings=AdsSettings(vhds=vhds, debounce_quiet_s=0.01), generators=valid()) as live:
        mesh = Mesh(live)
        mesh.fill()
        async with ads_envoy(tmp_path, live.port, delta=delta) as envoy:
            await answers(envoy, mesh.front, "a.com", "200 pong", within_s=20)
            await answers(envoy, mesh.front, "b.com", "200 b1")
            pushes = live.metrics.pushes.count("vhds")
            assert bool(pushes) is vhds

            mesh.hosts(mesh.a, answering("80/b", "b.com", "b2"), answering("80/c", "c.com", "c1"))
            await answers(envoy, mesh.front, "b.com", "200 b2")
            await answers(envoy, mesh.front, "c.com", "200 c1")
            mesh.hosts(mesh.a, answering("80/c", "c.com", "c1"))
            await answers(envoy, mesh.front, "b.com", "404 ")
            await answers(envoy, mesh.front, "a.com", "200 pong")

            # An updated cluster waits for its endpoints, which have not changed: they must come all the same.
            mesh.put("shop", CLUSTER, {"up": cluster("up", connect_timeout_s=3), "spare": cluster("spare")})
            await eventually(lambda: _updated(envoy, clusters=3), within_s=5)
            assert (await envoy.stats("^cluster_manager.warming_clusters$"))["cluster_manager.warming_clusters"] == 0
            assert await envoy.get(mesh.front, "a.com") == "200 pong"

            mesh.put("shop", ENDPOINT, {"up": assignment("up", mesh.other)}, endpoints_only=True)
            await answers(envoy, mesh.front, "a.com", "200 pung")

            # A new cluster and a route to it in one breath: no request may see the one without the other.
            mesh.put("shop", ENDPOINT, {name: assignment(name, mesh.back) for name in ("up", "new")})
            mesh.put("shop", CLUSTER, {"up": cluster("up", 3), "new": cluster("new")})
            mesh.hosts(mesh.a, forwarding("80/n", "n.com", "new"))
            seen = set()

            async def forwarded() -> bool:
                seen.add(await envoy.get(mesh.front, "n.com"))
                return "200 pong" in seen

            await eventually(forwarded)
            assert seen <= {"404 ", "200 pong"}
            assert await envoy.rejected() == {}
            assert len(live.ads.connections.rejections) == 0


async def _updated(envoy: AdsEnvoy, *, clusters: int) -> bool:
    stats = await envoy.stats("^cluster_manager\\.(cluster_modified|warming_clusters)$")
    return bool(stats.get("cluster_manager.cluster_modified")) and not stats["cluster_manager.warming_clusters"]


async def test_an_endpoint_of_two_addresses_is_reached_at_the_one_that_answers(tmp_path: Path) -> None:
    """The encoding of dual-stack pods: nobody listens at the first address, and still no request fails."""
    async with live_ads(generators=valid()) as live:
        mesh = Mesh(live)
        mesh.fill()
        encoder = endpoint_encoder(EndpointFacts(";;;;", mtls=False), mesh.back, 1, 1)
        members = LocalityLbEndpoints.FromString(encoder.field_of_all("127.0.0.9", ("127.0.0.1",)))
        both = ClusterLoadAssignment(cluster_name="up", endpoints=[members])
        mesh.put("shop", ENDPOINT, {"up": both, "spare": assignment("spare", mesh.other)})
        async with ads_envoy(tmp_path, live.port, delta=True) as envoy:
            await answers(envoy, mesh.front, "a.com", "200 pong", within_s=20)
            assert {await envoy.get(mesh.front, "a.com") for _ in range(20)} == {"200 pong"}
            assert await envoy.rejected() == {}


async def test_a_bad_host_is_rejected_alone(tmp_path: Path) -> None:
    """The good ones beside it are taken, and what it replaced goes on."""
    async with live_ads() as live:
        mesh = Mesh(live)
        mesh.fill()
        async with ads_envoy(tmp_path, live.port, delta=True) as envoy:
            await answers(envoy, mesh.front, "b.com", "200 b1", within_s=20)
            bad = answering("80/b", "b.com", "b2")
            bad.routes[0].match.Clear()
            mesh.hosts(mesh.a, bad, answering("80/c", "c.com", "c1"), answering("80/d", "d.com", "d1"))
            await answers(envoy, mesh.front, "c.com", "200 c1")
            await answers(envoy, mesh.front, "d.com", "200 d1")
            assert await envoy.get(mesh.front, "b.com") == "200 b1"
            await eventually(lambda: any(r.what.names == ("80/b",) for r in live.ads.connections.rejections))
            mesh.hosts(mesh.a, answering("80/b", "b.com", "b3"))
            await answers(envoy, mesh.front, "b.com", "200 b3")


@VARIANTS
async def test_envoy_outlives_the_server_and_is_sent_nothing_again(tmp_path: Path, *, delta: bool, vhds: bool) -> None:
    """The next server finds Envoy at what it has; only delta can tell, so only there nothing is sent."""
    settings = AdsSettings(vhds=vhds, debounce_quiet_s=0.01)
    port = free_port()
    address = f"127.0.0.1:{port}"
    async with live_ads(settings=settings, address=address) as live:
        mesh = Mesh(live)
        mesh.fill()
        envoy_running = ads_envoy(tmp_path, port, delta=delta)
        envoy = await envoy_running.__aenter__()
        await answers(envoy, mesh.front, "a.com", "200 pong", within_s=20)
    try:
        assert await envoy.get(mesh.front, "a.com") == "200 pong"
        async with live_ads(settings=settings, address=address) as live:
            mesh.live = live
            mesh.fill()
            await eventually(lambda: len(live.ads.connections) == 1, within_s=30)
            (info,) = live.ads.connections
            types = {CLUSTER, ENDPOINT, LISTENER, ROUTE} | ({VIRTUAL_HOST} if vhds else set())
            await eventually(lambda: {watch.type_url for watch in info.watches()} == types)
            mesh.hosts(mesh.a, answering("80/b", "b.com", "b9"))
            await answers(envoy, mesh.front, "b.com", "200 b9")
            assert await envoy.get(mesh.front, "a.com") == "200 pong"
            if delta:
                sent = {short: live.metrics.pushes.count(short) for short in ("cds", "eds", "lds", "rds", "vhds")}
                assert sent == {"cds": 0, "eds": 0, "lds": 0, "rds": 0 if vhds else 1, "vhds": 1 if vhds else 0}
            assert await envoy.rejected() == {}
    finally:
        await envoy_running.__aexit__(None, None, None)
