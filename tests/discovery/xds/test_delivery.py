"""Objects on their way to proxies: the inputs of the hand-made world stand for objects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from discovery.schema.meta import Kind, ObjectKey
from discovery.store.delivery import RejectedResource
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER
from discovery.xds.delivery import Deliveries, is_configuration
from discovery.xds.server import AdsSettings
from tests.kit.eventually import eventually
from tests.kit.xds_clients import DeltaClient
from tests.kit.xds_live import AdsStream, LiveAds, live_ads, node_of
from tests.kit.xds_world import BAD, CONTENT, HandMade

SHOP = ("shop", CLUSTER)


class Live:
    """A server, and deliveries that take the world's contents for objects."""

    def __init__(self, live: LiveAds, *, blame: bool = True) -> None:
        self.live = live
        ads = live.ads
        self.deliveries = Deliveries(
            ads._world, lambda: ads._pusher.pending, cell=CONTENT, may_be_at_fault=lambda key: blame
        )
        ads.deliveries = self.deliveries
        self.told: list[tuple[Hashable, RejectedResource]] = []
        self.deliveries.subscribe(lambda key, resource: self.told.append((key, resource)))

    def in_flight(self) -> int:
        """Responses that wait for an answer."""
        sessions = [connection.session for connection in self.live.ads.connections.living()]
        return sum(watch.in_flight is not None for session in sessions for watch in session.watches.values())


@asynccontextmanager
async def living(quiet_s: float = 0.01) -> AsyncIterator[Live]:
    async with live_ads(generators=HandMade(), settings=AdsSettings(debounce_quiet_s=quiet_s)) as live:
        yield Live(live)


async def test_object_that_concerns_nobody_has_arrived() -> None:
    """There is nobody to wait for."""
    async with living() as world:
        world.live.put(*SHOP, {"a": b"1"})
        await eventually(lambda: not world.live.ads._pusher.pending)
        assert world.deliveries.of(SHOP, 1).waiting == 0
        assert world.deliveries.of(("nowhere", CLUSTER), 1).waiting == 0


async def test_object_has_arrived_once_all_its_watchers_acknowledged() -> None:
    """Proxies of other scopes are not waited for."""
    async with living() as world:
        live = world.live
        live.put(*SHOP, {"a": b"1"})
        live.put("bank", CLUSTER, {"b": b"1"})
        target = f"127.0.0.1:{live.port}"
        shop, bank = DeltaClient(), DeltaClient()
        async with AdsStream(target, shop) as first, AdsStream(target, bank, node=node_of("b-0", "bank")) as second:
            await first.send(shop.subscribe(CLUSTER))
            await second.send(bank.subscribe(CLUSTER))
            await first.until(lambda: "a" in shop.held.get(CLUSTER, {}))
            await second.until(lambda: "b" in bank.held.get(CLUSTER, {}))
            async with second._writing:  # the bank's proxy answers nothing from here on
                live.put("bank", CLUSTER, {"b": b"2"})
                live.put(*SHOP, {"a": b"2"})
                await eventually(lambda: world.deliveries.of(SHOP, 2).waiting == 0)
                assert world.deliveries.of(("bank", CLUSTER), 2).waiting == 1
            await eventually(lambda: world.deliveries.of(("bank", CLUSTER), 2).waiting == 0)


async def test_change_that_streams_were_not_told_of_has_not_arrived() -> None:
    """Between the commit and the push every stream still looks content."""
    async with living(quiet_s=30.0) as world:
        live, shop = world.live, DeltaClient()
        live.put(*SHOP, {"a": b"1"})
        async with AdsStream(f"127.0.0.1:{live.port}", shop) as stream:
            await stream.send(shop.subscribe(CLUSTER))
            await stream.until(lambda: "a" in shop.held.get(CLUSTER, {}))
            await eventually(lambda: world.deliveries.of(SHOP, 1).waiting == 0)
            live.put(*SHOP, {"a": b"2"})  # the first after a quiet time goes at once
            await eventually(lambda: world.deliveries.of(SHOP, 2).waiting == 0)
            live.put(*SHOP, {"a": b"3"})
            assert live.ads._pusher.pending
            assert world.deliveries.of(SHOP, 3).waiting == 1
            live.ads._pusher.flush()
            await eventually(lambda: world.deliveries.of(SHOP, 3).waiting == 0)


async def test_what_was_seen_acknowledged_stays_so() -> None:
    """Later changes of other objects hold nobody up; a proxy that went away is not waited for."""
    async with living() as world:
        live = world.live
        live.put(*SHOP, {"a": b"1"})
        target, one, two = f"127.0.0.1:{live.port}", DeltaClient(), DeltaClient()
        async with AdsStream(target, one) as first:
            await first.send(one.subscribe(CLUSTER))
            await first.until(lambda: "a" in one.held.get(CLUSTER, {}))
            async with AdsStream(target, two, node=node_of("web-1")) as second:
                await second.send(two.subscribe(CLUSTER))
                await second.until(lambda: "a" in two.held.get(CLUSTER, {}))
                async with second._writing:
                    live.put(*SHOP, {"a": b"2"})
                    await first.until(lambda: one.held[CLUSTER]["a"][1] == b"2")
                    await eventually(lambda: world.deliveries.of(SHOP, 2).waiting == 1)
                    async with first._writing:
                        live.put("shop.in", CLUSTER, {"in": b"1"})
                        await eventually(lambda: world.in_flight() == 2)
                        assert world.deliveries.of(SHOP, 2).waiting == 1
            await eventually(lambda: world.deliveries.of(SHOP, 2).waiting == 0)


async def test_rejection_is_traced_to_what_changed_last() -> None:
    """One proxy's word is enough, and it is told once; mended, it is forgotten."""
    async with living() as world:
        live = world.live
        live.put(*SHOP, {"a": b"1", "ab": b"1"})
        target, clients = f"127.0.0.1:{live.port}", [DeltaClient(), DeltaClient()]
        async with AdsStream(target, clients[0]) as one, AdsStream(target, clients[1], node=node_of("web-1")) as two:
            for stream, client in ((one, clients[0]), (two, clients[1])):
                await stream.send(client.subscribe(CLUSTER))
                await stream.until(lambda client=client: "a" in client.held.get(CLUSTER, {}))  # type: ignore[misc]
            live.put(*SHOP, {"a": BAD, "ab": b"1"})
            await eventually(lambda: live.metrics.rejects.count("cds") == 2)
            [(key, resource)] = world.told
            assert (key, resource.type, resource.name) == (SHOP, "CDS", "a")
            assert resource.error
            assert world.deliveries.of(SHOP, 2).rejected == (resource,)
            assert world.deliveries.of(SHOP, 2).waiting == 0
            assert list(world.deliveries.rejected()) == [(SHOP, resource)]
            live.put(*SHOP, {"a": b"3", "ab": b"1"})
            await eventually(lambda: list(world.deliveries.rejected()) == [])
            await eventually(lambda: world.deliveries.of(SHOP, 3).rejected == ())


async def test_bad_one_of_many_is_found_by_halves() -> None:
    """Of a type that is taken whole or not at all only the last half, the bad one alone, is traced."""
    async with living() as world:
        live, client = world.live, DeltaClient()
        scope = ("shop", ENDPOINT)
        live.put(*scope, {"a": b"1", "b": b"1", "c": b"1"})
        async with AdsStream(f"127.0.0.1:{live.port}", client) as stream:
            await stream.send(client.subscribe(ENDPOINT, ("a", "b", "c")))
            await stream.until(lambda: len(client.held.get(ENDPOINT, {})) == 3)
            live.put(*scope, {"a": b"2", "b": BAD, "c": b"2"})
            await eventually(lambda: bool(world.told))
            await eventually(lambda: client.held[ENDPOINT]["c"][1] == b"2")
        assert [(key, resource.name) for key, resource in world.told] == [(scope, "b")]


async def test_bad_ones_of_a_type_taken_in_parts_are_told_by_name() -> None:
    """Envoy's error names them; a name within another name is not taken for it."""
    async with living() as world:
        live, client = world.live, DeltaClient()
        scope = ("shop", LISTENER)
        live.put(*scope, {"l": b"1", "l1": b"1"})
        async with AdsStream(f"127.0.0.1:{live.port}", client) as stream:
            await stream.send(client.subscribe(LISTENER))
            await stream.until(lambda: len(client.held.get(LISTENER, {})) == 2)
            live.put(*scope, {"l": b"2", "l1": BAD, "l11": b"2"})
            await eventually(lambda: bool(world.told))
        assert [(key, resource.name) for key, resource in world.told] == [(scope, "l1")]


def test_only_configuration_is_at_fault() -> None:
    """Pods and their endpoints are nobody's wording."""
    assert is_configuration(ObjectKey(Kind.VIRTUAL_SERVICE, "shop", "a"))
    assert not is_configuration(ObjectKey(Kind.ENDPOINT_SLICE, "shop", "a"))
    assert not is_configuration(SHOP)
