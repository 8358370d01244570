"""The server over real gRPC: what is sent and what is not, how streams are refused, and that it ends cleanly."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import grpc
import grpc.aio
import pytest

from discovery.auth.caller import Caller, CallerKind, Credentials, Listener
from discovery.auth.errors import UnauthenticatedError
from discovery.registry.registrant import Refusal, RefusedError, Registrant
from discovery.wire.envoy import DeltaDiscoveryRequest, Node, serialize
from discovery.wire.type_urls import (
    CLUSTER,
    ENDPOINT,
    HEALTH_INFORMATION,
    LISTENER,
    ROUTE,
    SECRET,
    VIRTUAL_HOST,
)
from discovery.xds.server import SERVICE, AdsSettings
from discovery.xds.world import Limits
from tests.kit.eventually import eventually
from tests.kit.xds_clients import DeltaClient, SotwClient
from tests.kit.xds_live import AdsStream, LiveAds, live_ads, node_of


def fill(live: LiveAds) -> None:
    live.put("shop", CLUSTER, {name: f"{name}=1".encode() for name in ("a", "b")})
    live.put("shop", ENDPOINT, {name: f"{name}=1".encode() for name in ("a", "b")})
    live.put("shop", LISTENER, {"80": b"80=1"})
    live.put("shop", ROUTE, {"80": b"80=1"})
    live.put("shop+vhds", ROUTE, {"80": b"80=1"})
    live.put("shop/80", VIRTUAL_HOST, {"80/x": b"80/x=1", "80/y": b"80/y=1"})


async def started(stream: AdsStream) -> None:
    """Have the client ask for all there is."""
    client = stream.client
    await stream.send(client.subscribe(CLUSTER))
    await stream.until(lambda: len(client.values(CLUSTER)) == 2)
    await stream.send(
        client.subscribe(ENDPOINT, ["a", "b"]), client.subscribe(LISTENER), client.subscribe(ROUTE, ["80"])
    )
    await stream.until(lambda: len(client.values(ENDPOINT)) == 2 and bool(client.values(ROUTE)))
    if isinstance(client, DeltaClient):
        await stream.until(lambda: len(client.values(VIRTUAL_HOST)) == 2)


async def test_one_change_sends_one_resource_to_those_who_watch_it() -> None:
    """An endpoint change is one assignment, a route change one virtual host, and a change elsewhere nothing."""
    async with live_ads() as live:
        fill(live)
        one, other = DeltaClient(vhds=True), DeltaClient(vhds=True)
        async with (
            AdsStream(f"127.0.0.1:{live.port}", one) as stream,
            AdsStream(f"127.0.0.1:{live.port}", other, node=node_of("far-0", "elsewhere")) as far,
        ):
            await started(stream)
            await far.send(other.subscribe(CLUSTER), other.subscribe(ENDPOINT, ["a"]))
            await far.until(lambda: bool(other.values(ENDPOINT)))
            one.responses.clear()
            other.responses.clear()
            live.put("shop", ENDPOINT, {"a": b"a=2", "b": b"b=1"}, endpoints_only=True)
            await stream.until(lambda: one.values(ENDPOINT)["a"] == b"a=2")
            live.put("shop/80", VIRTUAL_HOST, {"80/x": b"80/x=2", "80/y": b"80/y=1"})
            await stream.until(lambda: one.values(VIRTUAL_HOST)["80/x"] == b"80/x=2")
            live.put("nowhere", CLUSTER, {"c": b"c=1"})
            live.put("shop/80", VIRTUAL_HOST, {"80/y": b"80/y=1"})
            await stream.until(lambda: len(one.values(VIRTUAL_HOST)) == 1)
            sent = [([r.name for r in m.resources], list(m.removed_resources)) for m in one.responses]
            assert sent == [(["a"], []), (["80/x"], []), ([], ["80/x"])]
            assert other.responses == []


async def test_a_client_that_comes_back_with_all_it_needs_is_sent_nothing() -> None:
    """Versions are content hashes, so they match on the next stream, and on the next server too."""
    client = DeltaClient(vhds=True)
    for round_ in range(2):
        async with live_ads() as live:
            fill(live)
            async with AdsStream(f"127.0.0.1:{live.port}", client) as stream:
                if round_ == 0:
                    await started(stream)
                    client.responses.clear()
                    continue
                await stream.send(*client.reconnect())
                live.put("shop", CLUSTER, {name: f"{name}=1".encode() for name in ("a", "b", "c")})
                await stream.until(lambda: len(client.values(CLUSTER)) == 3)
                assert [[r.name for r in m.resources] for m in client.responses] == [["c"]]


async def test_state_of_the_world_clients_get_all_clusters_and_only_changed_endpoints() -> None:
    """Responses for clusters are complete; those for endpoints carry what changed."""
    async with live_ads() as live:
        fill(live)
        client = SotwClient()
        async with AdsStream(f"127.0.0.1:{live.port}", client) as stream:
            await started(stream)
            client.responses.clear()
            live.put("shop", ENDPOINT, {"a": b"a=2", "b": b"b=1"}, endpoints_only=True)
            await stream.until(lambda: client.values(ENDPOINT)["a"] == b"a=2")
            live.put("shop", CLUSTER, {"a": b"a=1", "b": b"b=2"})
            await stream.until(lambda: client.values(CLUSTER)["b"] == b"b=2")
            assert [len(m.resources) for m in client.responses[:2]] == [1, 2]


async def test_a_rejected_response_is_recorded_and_the_old_one_stays() -> None:
    """The error is counted and kept for people; the client goes on with what it had, and so do others."""
    async with live_ads() as live:
        fill(live)
        client = DeltaClient(vhds=True)
        async with AdsStream(f"127.0.0.1:{live.port}", client) as stream:
            await started(stream)
            live.put("shop", ENDPOINT, {"a": b"a=bad", "b": b"b=2"})
            await stream.until(lambda: client.values(ENDPOINT)["b"] == b"b=2")
            assert client.values(ENDPOINT)["a"] == b"a=1"
            await eventually(lambda: live.metrics.rejects.count("eds") == 2)  # both together, then the bad one alone
            (last, first) = live.ads.connections.rejections
            assert (first.what.names, last.what.names) == (("a", "b"), ("a",))
            assert last.what.error.startswith("bad resource")
            (info,) = live.ads.connections
            watches = {watch.type_url: watch for watch in info.watches()}
            assert watches[ENDPOINT].error or watches[ENDPOINT].synced


@pytest.mark.parametrize(
    ("node", "wanted"),
    [
        (Node(), grpc.StatusCode.INVALID_ARGUMENT),
        (Node(id="sidecar~10.0.0.1~a.b"), grpc.StatusCode.INVALID_ARGUMENT),
        (Node(id="ztunnel~10.0.0.1~a.b~b.svc.cluster.local"), grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_a_node_that_cannot_be_served_is_refused(node: Node, wanted: grpc.StatusCode) -> None:
    """Each refusal has its status."""
    async with live_ads() as live:
        client = DeltaClient()
        async with AdsStream(f"127.0.0.1:{live.port}", client, node=node) as stream:
            await stream.send(client.subscribe(CLUSTER))
            await stream.until(lambda: stream.error is not None)
            assert stream.error is not None
            assert stream.error.code() is wanted


async def test_nobody_is_served_before_the_first_configuration_is_here() -> None:
    """An empty configuration would take every proxy's clusters away."""
    async with live_ads() as live:
        with live.readiness.blocked_by("sources"):
            client = DeltaClient()
            async with AdsStream(f"127.0.0.1:{live.port}", client) as stream:
                await stream.until(lambda: stream.error is not None)
                assert stream.error is not None
                assert stream.error.code() is grpc.StatusCode.UNAVAILABLE
                assert "sources" in (stream.error.details() or "")


class Gate:
    """Knows one caller: whoever sends the header ``x-test``."""

    async def authenticate(self, credentials: Credentials) -> Caller:
        if not credentials.only("x-test"):
            raise UnauthenticatedError("no header")
        return Caller(kind=CallerKind.TOKEN, identities=())


async def test_callers_at_the_front_must_say_who_they_are(tmp_path: Path) -> None:
    """Behind our own Envoy nobody is served without proof, and the socket is ours alone."""
    path = tmp_path / "xds.sock"
    async with live_ads(authenticator=Gate(), via=Listener.FRONT, address=f"unix:{path}"):
        assert path.stat().st_mode & 0o777 == 0o600
        client = DeltaClient()
        async with AdsStream(f"unix:{path}", client) as stream:
            await stream.send(client.subscribe(CLUSTER))
            await stream.until(lambda: stream.error is not None)
            assert stream.error is not None
            assert stream.error.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_plaintext_gets_no_secrets_and_unknown_types_no_answer() -> None:
    """Both are passed over in silence; the rest of the stream is served."""
    async with live_ads() as live:
        fill(live)
        live.put("shop", SECRET, {"key": b"key=1"})
        client = DeltaClient()
        async with AdsStream(f"127.0.0.1:{live.port}", client) as stream:
            await stream.send(client.subscribe(SECRET, ["key"]), client.subscribe("type.googleapis.com/a.B"))
            await stream.send(client.subscribe(CLUSTER))
            await stream.until(lambda: len(client.values(CLUSTER)) == 2)
            assert {m.type_url for m in client.responses} == {CLUSTER}


class Register:
    """A ``Workloads`` that remembers; it refuses the group that is called so."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Registrant, str | None]] = []

    async def connect(self, registrant: Registrant) -> None:
        """Refuse, or remember."""
        if registrant.group in list(Refusal):
            raise RefusedError(Refusal(registrant.group), "not you")
        self.told.append(("connect", registrant, None))

    def disconnect(self, registrant: Registrant) -> None:
        """Remember."""
        self.told.append(("disconnect", registrant, None))

    def report_health(self, registrant: Registrant, failure: str | None) -> None:
        """Remember."""
        self.told.append(("health", registrant, failure))


async def test_a_machine_is_registered_for_as_long_as_its_stream_lasts() -> None:
    """Its first answer comes when it is; reports of health are told and not answered."""
    register = Register()
    async with live_ads(workloads=register) as live:
        fill(live)
        client = DeltaClient()
        node = node_of(AUTO_REGISTER_GROUP="vm", NETWORK="office")
        async with AdsStream(f"127.0.0.1:{live.port}", client, node=node) as stream:
            await stream.send(client.subscribe(CLUSTER))
            await stream.until(lambda: len(client.values(CLUSTER)) == 2)
            assert [what for what, *_ in register.told] == ["connect"]
            await stream.send(client.subscribe(HEALTH_INFORMATION))
            await eventually(lambda: [what for what, *_ in register.told] == ["connect", "health"])
        await eventually(lambda: register.told[-1][0] == "disconnect")
    (registrant,) = {registrant for _, registrant, _ in register.told}
    assert (registrant.proxy, registrant.namespace, registrant.group) == ("web-0.shop", "shop", "vm")
    assert (registrant.address, registrant.network, registrant.identity_namespace) == ("10.0.0.1", "office", "")


async def test_proxies_of_a_cluster_are_not_registered() -> None:
    """They name neither a group nor an entry; their reports of health are nobody's."""
    register = Register()
    async with live_ads(workloads=register) as live:
        fill(live)
        client = DeltaClient()
        async with AdsStream(f"127.0.0.1:{live.port}", client) as stream:
            await stream.send(client.subscribe(CLUSTER), client.subscribe(HEALTH_INFORMATION))
            await stream.until(lambda: len(client.values(CLUSTER)) == 2)
    assert register.told == []


@pytest.mark.parametrize(
    ("refusal", "code"),
    [(Refusal.FORBIDDEN, grpc.StatusCode.PERMISSION_DENIED), (Refusal.MISSING, grpc.StatusCode.FAILED_PRECONDITION)],
)
async def test_a_machine_that_is_refused_is_told_why(refusal: Refusal, code: grpc.StatusCode) -> None:
    """And gets nothing: its owner has to see it."""
    register = Register()
    async with live_ads(workloads=register) as live:
        fill(live)
        client = DeltaClient()
        node = node_of(AUTO_REGISTER_GROUP=refusal)
        async with AdsStream(f"127.0.0.1:{live.port}", client, node=node) as stream:
            await stream.send(client.subscribe(CLUSTER))
            await stream.until(lambda: stream.error is not None)
            assert stream.error is not None
            assert (stream.error.code(), stream.error.details()) == (code, "not you")
    assert register.told == []


async def test_a_client_that_names_too_much_is_sent_away() -> None:
    """Names cost memory; nobody may ask for more than any mesh has."""
    async with live_ads(settings=AdsSettings(limits=Limits(max_names=3))) as live:
        client = DeltaClient()
        async with AdsStream(f"127.0.0.1:{live.port}", client) as stream:
            await stream.send(client.subscribe(ENDPOINT, ["a", "b", "c", "d"]))
            await stream.until(lambda: stream.error is not None)
            assert stream.error is not None
            assert stream.error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_many_clients_that_say_nothing_keep_nobody_waiting() -> None:
    """A place in the set-up is taken with the first request, not with the stream."""
    async with live_ads(settings=AdsSettings(places=1)) as live:
        fill(live)
        client = DeltaClient()
        async with (
            AdsStream(f"127.0.0.1:{live.port}", DeltaClient()),
            AdsStream(f"127.0.0.1:{live.port}", DeltaClient()),
            AdsStream(f"127.0.0.1:{live.port}", client) as stream,
        ):
            await stream.send(client.subscribe(CLUSTER))
            await stream.until(lambda: len(client.values(CLUSTER)) == 2)


async def test_a_client_that_takes_nothing_is_closed_and_others_are_served() -> None:
    """Its response does not stay in our memory for ever."""
    async with live_ads(settings=AdsSettings(write_timeout_s=0.05, sweep_s=0.02)) as live:
        fill(live)
        live.put("deaf", CLUSTER, {"big": b"big=" + b"x" * (32 << 20)})
        options = [("grpc.use_local_subchannel_pool", 1)]
        channel = cast("Any", grpc.aio.insecure_channel(f"127.0.0.1:{live.port}", options=options))
        deaf = channel.stream_stream(f"/{SERVICE}/DeltaAggregatedResources")()
        request = DeltaDiscoveryRequest(type_url=CLUSTER, node=node_of("deaf-0", "deaf"))
        await deaf.write(serialize(request))
        await eventually(lambda: live.metrics.write_timeouts.count() >= 1)
        client = DeltaClient()
        async with AdsStream(f"127.0.0.1:{live.port}", client) as stream:
            await stream.send(client.subscribe(CLUSTER))
            await stream.until(lambda: len(client.values(CLUSTER)) == 2)
            await eventually(lambda: len(live.ads.connections) == 1)
        deaf.cancel()
        await channel.close()


async def test_a_flood_of_requests_is_slowed_and_others_are_served() -> None:
    """The transport holds the flooding client back; its requests do not pile up with us."""
    async with live_ads() as live:
        fill(live)
        channel = cast("Any", grpc.aio.insecure_channel(f"127.0.0.1:{live.port}"))
        flood = channel.stream_stream(f"/{SERVICE}/DeltaAggregatedResources")()
        request = DeltaDiscoveryRequest(type_url=CLUSTER, node=node_of("flood-0"))
        await flood.write(serialize(request))
        again = serialize(DeltaDiscoveryRequest(type_url=CLUSTER, resource_names_subscribe=["a", "x" * 16_000]))
        sent = 0

        async def pour() -> None:
            nonlocal sent
            while True:
                await flood.write(again)
                sent += 1

        async with asyncio.TaskGroup() as group:
            pouring = group.create_task(pour())
            await eventually(lambda: sent > 2000)
            client = DeltaClient()
            async with AdsStream(f"127.0.0.1:{live.port}", client) as stream:
                await stream.send(client.subscribe(CLUSTER))
                await stream.until(lambda: len(client.values(CLUSTER)) == 2)
                live.put("shop", CLUSTER, {"a": b"a=2", "b": b"b=1"})
                await stream.until(lambda: client.values(CLUSTER)["a"] == b"a=2", within_s=2)
            before, started = sent, asyncio.get_running_loop().time()
            await eventually(lambda: sent > before + 600, within_s=30)
            # 200 a second, less what fits into buffers on the way; a machine that is slower besides changes nothing.
            assert asyncio.get_running_loop().time() - started > 1
            pouring.cancel()
        flood.cancel()
        await channel.close()


async def test_shutdown_ends_the_streams() -> None:
    """Clients are told to go elsewhere at once instead of waiting for the end of a drain."""
    client = DeltaClient()
    async with asyncio.timeout(5):
        async with live_ads() as live:
            fill(live)
            stream = await AdsStream(f"127.0.0.1:{live.port}", client).__aenter__()
            await stream.send(client.subscribe(CLUSTER))
            await stream.until(lambda: len(client.values(CLUSTER)) == 2)
            assert len(live.ads.connections) == 1
        await stream.until(lambda: stream.error is not None)
        assert len(live.ads.connections) == 0
        await stream.__aexit__(None, None, None)
