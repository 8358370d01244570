"""The window for people: what each connection watches, what it holds, and what went wrong."""

from __future__ import annotations

from discovery.wire.type_urls import CLUSTER, ENDPOINT, ROUTE
from tests.kit.eventually import eventually
from tests.kit.xds_clients import DeltaClient
from tests.kit.xds_live import AdsStream, live_ads


async def test_a_connection_can_be_looked_at() -> None:
    """Names, nonces, times, and the resources that it is served right now."""
    async with live_ads() as live:
        live.put("shop", CLUSTER, {"a": b"a=1", "b": b"fail"})
        live.put("shop", ENDPOINT, {"a": b"a=1"})
        client = DeltaClient()
        async with AdsStream(f"127.0.0.1:{live.port}", client) as stream:
            await stream.send(client.subscribe(CLUSTER), client.subscribe(ENDPOINT, ["a"]))
            await stream.until(lambda: bool(client.values(ENDPOINT)))
            connections = live.ads.connections
            (info,) = connections
            await eventually(lambda: all(watch.sent == watch.acked != "" for watch in info.watches()))
            assert (info.id, info.proxy_id, info.delta, info.identity) == ("web-0.shop-1", "web-0.shop", True, "")
            assert info.key.namespace == info.view.outbound.scope.namespace == info.node.namespace == "shop"
            clusters, endpoints = info.watches()
            assert (clusters.wildcard, endpoints.names) == (True, frozenset("a"))
            assert endpoints.synced
            assert (clusters.synced, clusters.failures) == (False, {"b": "b cannot be rendered"})
            assert clusters.sent == clusters.acked != ""
            assert clusters.sent_at is not None
            assert clusters.acked_at is not None
            assert info.connected_at <= clusters.sent_at <= clusters.acked_at
            assert {name: r.value for name, r in info.resources(CLUSTER).items()} == {"a": b"a=1"}
            assert info.resources(ROUTE) == {}
            assert connections.failures() == {"CDS b": "b cannot be rendered"}
            found = connections.find("web-0")
            assert found is not None
            assert found.address == info.address
            assert connections.find("nobody") is None
        await eventually(lambda: len(connections) == 0)
