"""The relay between a gRPC client and a gRPC server, as Envoy and the control plane would use it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from agent.xds_proxy.dial import DialError, UpstreamOptions
from agent.xds_proxy.ends import Severity
from agent.xds_proxy.messages import Form
from agent.xds_proxy.metrics import RelayMetrics
from agent.xds_proxy.relay import Health
from agent.xds_proxy.server import XdsProxy, XdsProxyOptions
from discovery.runtime.clock import SystemClock
from discovery.runtime.supervise import run_all
from discovery.wire import type_urls
from tests.kit.eventually import eventually
from tests.kit.fake_envoy import DownstreamClient
from tests.kit.fake_istiod import FakeIstiod, FakeStream, delta_response, sotw_response
from tests.kit.inline_x509 import inline_x509

forms = pytest.mark.parametrize("form", list(Form))
RESPONSES = {Form.SOTW: sotw_response, Form.DELTA: delta_response}


class Table:
    """An intercept for name tables that refuses what says so."""

    type_url = type_urls.NAME_TABLE

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    def handle(self, resource: bytes) -> None:
        if resource.startswith(b"bad"):
            raise ValueError("bad table: want names")
        self.taken.append(resource)


class Bench:
    """A relay with its control plane."""

    def __init__(self, proxy: XdsProxy, metrics: RelayMetrics, socket: Path) -> None:
        self.proxy = proxy
        self.metrics = metrics
        self.socket = socket

    def envoy(self, form: Form = Form.SOTW, *, epoch: int = 0) -> DownstreamClient:
        return DownstreamClient(self.socket, rpc=form.rpc, epoch=epoch)


@asynccontextmanager
async def relay(istiod: FakeIstiod, directory: Path, *intercepts: Table) -> AsyncIterator[Bench]:
    metrics = RelayMetrics()
    options = XdsProxyOptions(
        socket=directory / "XDS", upstream=UpstreamOptions(address=istiod.address, tls=False, connect_timeout_s=2)
    )
    # chance 0: the gate opens at once, so that tests need not wait
    proxy = XdsProxy(
        options, x509=inline_x509(), clock=SystemClock(), metrics=metrics, intercepts=intercepts, chance=lambda: 0.0
    )
    async with proxy:
        yield Bench(proxy, metrics, options.socket)


@forms
async def test_basic_flow(form: Form, tmp_path: Path) -> None:
    """Requests and responses of both forms pass unchanged, and are counted."""
    async with FakeIstiod() as istiod, relay(istiod, tmp_path) as bench, bench.envoy(form) as envoy:
        await envoy.ask(type_urls.CLUSTER, "a", node="sidecar~1")
        stream = await istiod.accept()
        request = await stream.read()
        assert (request.node.id, request.type_url) == ("sidecar~1", type_urls.CLUSTER)
        response = RESPONSES[form](type_urls.CLUSTER, b"one", b"two")
        await stream.write(response)
        assert await envoy.read() == response
        await envoy.ask(type_urls.CLUSTER, nonce="n1")
        assert (await stream.read()).response_nonce == "n1"
        assert (bench.metrics.requests.count(), bench.metrics.responses.count()) == (2, 1)


@forms
async def test_intercepted_type_never_reaches_envoy(form: Form, tmp_path: Path) -> None:
    """The agent subscribes after LDS, takes the table, answers ACK or NACK; Envoy sees only its own types."""
    table = Table()
    async with FakeIstiod() as istiod, relay(istiod, tmp_path, table) as bench, bench.envoy(form) as envoy:
        await envoy.ask(type_urls.LISTENER, node="sidecar~1")
        stream = await istiod.accept()
        assert [(await stream.read()).type_url for _ in range(2)] == [type_urls.LISTENER, type_urls.NAME_TABLE]
        await stream.write(RESPONSES[form](type_urls.NAME_TABLE, b"good", nonce="t1"))
        ack = await stream.read()
        assert (ack.response_nonce, ack.HasField("error_detail")) == ("t1", False)
        await stream.write(RESPONSES[form](type_urls.NAME_TABLE, b"bad", nonce="t2"))
        nack = await stream.read()
        assert (nack.response_nonce, nack.error_detail.code) == ("t2", 13)
        assert nack.error_detail.message == "bad table: want names"
        await stream.write(RESPONSES[form]("type.googleapis.com/some.Unknown", b"?"))
        await stream.write(RESPONSES[form](type_urls.LISTENER, b"listener"))
        assert (await envoy.read()).type_url == type_urls.LISTENER
        assert table.taken == [b"good"]


async def test_an_envoy_that_is_replaced_comes_back_in_vain(tmp_path: Path) -> None:
    """Its successor's stream stays; if the successor is given up, the one before is served again."""
    async with FakeIstiod() as istiod, relay(istiod, tmp_path) as bench:
        bench.proxy.serve_from(1)
        async with bench.envoy(epoch=1) as successor:
            await successor.ask(type_urls.CLUSTER, node="sidecar~1")
            stream = await istiod.accept()
            async with bench.envoy() as before:
                assert (await before.status())[0] == "UNAVAILABLE"
            assert not stream.closed.is_set()
        bench.proxy.serve_from(0)
        async with bench.envoy() as before:
            await before.ask(type_urls.CLUSTER, node="sidecar~1")
            assert (await (await istiod.accept()).read()).type_url == type_urls.CLUSTER


async def test_health_waits_for_listeners_and_survives_reconnects(tmp_path: Path) -> None:
    """No health before LDS; repeated states are not told; each new stream learns the latest after its LDS."""
    async with FakeIstiod() as istiod, relay(istiod, tmp_path) as bench:
        async with bench.envoy() as envoy:
            await envoy.ask(type_urls.CLUSTER, node="sidecar~1")
            stream = await istiod.accept()
            await stream.read()
            bench.proxy.report_health(Health())
            await envoy.ask(type_urls.LISTENER)
            assert (await stream.read()).type_url == type_urls.LISTENER
            assert (await stream.read()).type_url == type_urls.HEALTH_INFORMATION
            bench.proxy.report_health(Health())
            bench.proxy.report_health(Health(failure="refused"))
            sick = await stream.read()
            assert (sick.type_url, sick.error_detail.message) == (type_urls.HEALTH_INFORMATION, "refused")
        async with bench.envoy(Form.DELTA) as envoy:
            await envoy.ask(type_urls.LISTENER, node="sidecar~1")
            stream = await istiod.accept()
            await stream.read()
            assert (await stream.read()).error_detail.message == "refused"


async def exchange(istiod: FakeIstiod, envoy: DownstreamClient) -> None:
    """One request and one response through the relay."""
    await envoy.ask(type_urls.CLUSTER, node="sidecar~1")
    stream = await istiod.accept()
    await stream.read()
    await stream.write(sotw_response(type_urls.CLUSTER, b"x"))
    await envoy.read()


async def is_of(stream: FakeStream, node: str) -> bool:
    """Whether the first request of a stream, if it still has one, names this node."""
    try:
        return bool((await stream.read()).node.id == node)
    except EOFError:
        return False


async def test_reconnect_envoy_closes_and_opens(tmp_path: Path) -> None:
    """Envoy's end closes the stream upstream; its next stream works and gets its own connection."""
    async with FakeIstiod() as istiod, relay(istiod, tmp_path) as bench:
        for _ in range(2):
            async with bench.envoy() as envoy:
                await exchange(istiod, envoy)
            await eventually(lambda: istiod.open_streams == 0)
        await eventually(lambda: bench.metrics.envoy_terminations.count(Severity.CANCELLED) == 2)


async def test_reconnect_newest_of_several_streams_wins(tmp_path: Path) -> None:
    """A second stream ends the first one without an error; the control plane holds one stream at a time."""
    async with FakeIstiod() as istiod, relay(istiod, tmp_path) as bench, bench.envoy() as first:
        await exchange(istiod, first)
        async with bench.envoy() as second:
            await exchange(istiod, second)
            assert await first.status() == ("OK", "")
            assert istiod.open_streams == 1


async def test_reconnect_envoy_half_closes(tmp_path: Path) -> None:
    """A client that says it has no more requests ends the stream; the relay ends both sides regularly."""
    async with FakeIstiod() as istiod, relay(istiod, tmp_path) as bench:
        async with bench.envoy() as envoy:
            await exchange(istiod, envoy)
            await envoy.half_close()
            assert await envoy.status() == ("OK", "")
        await eventually(lambda: istiod.open_streams == 0)
        async with bench.envoy() as envoy:
            await exchange(istiod, envoy)


async def test_reconnect_under_concurrent_requests(tmp_path: Path) -> None:
    """Streams that open while requests of older ones are under way leave one working stream and no leak."""
    async with FakeIstiod() as istiod, relay(istiod, tmp_path) as bench:

        async def storm() -> None:
            async with bench.envoy() as envoy:
                for _ in range(20):
                    try:
                        await envoy.ask(type_urls.CLUSTER, node="sidecar~1")
                    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                        return

        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(storm())
        async with bench.envoy() as envoy:
            await envoy.ask(type_urls.CLUSTER, node="the last")
            while not await is_of(stream := await istiod.accept(), "the last"):
                pass  # of the storm, and ended since
            await stream.write(sotw_response(type_urls.CLUSTER, b"x"))
            await envoy.read()
            await eventually(lambda: istiod.open_streams == 1)


@pytest.mark.parametrize(
    ("code", "details", "severity"),
    [
        (grpc.StatusCode.OK, "", Severity.CANCELLED),
        (grpc.StatusCode.UNAUTHENTICATED, "token is expired", Severity.ERROR),
        (grpc.StatusCode.UNAVAILABLE, "transport is closing", Severity.CANCELLED),
    ],
)
async def test_reconnect_istiod_closes(code: grpc.StatusCode, details: str, severity: Severity, tmp_path: Path) -> None:
    """Envoy sees the control plane's own status, and its next stream works."""
    async with FakeIstiod() as istiod, relay(istiod, tmp_path) as bench:
        async with bench.envoy() as envoy:
            await envoy.ask(type_urls.CLUSTER, node="sidecar~1")
            stream = await istiod.accept()
            await stream.read()
            stream.end(code, details)
            assert await envoy.status() == (code.name, details)
        assert bench.metrics.istiod_terminations.count(severity) == 1
        async with bench.envoy() as envoy:
            await exchange(istiod, envoy)


async def test_control_plane_down_then_up(tmp_path: Path) -> None:
    """Envoy is told that nobody is there; once somebody is, its next stream works, with the same relay."""
    async with FakeIstiod() as istiod:
        port = istiod.port
    async with relay(istiod, tmp_path) as bench:
        async with bench.envoy() as envoy:
            assert (await envoy.status())[0] == "UNAVAILABLE"
        assert bench.metrics.connection_failures.count() == 1
        async with FakeIstiod(port=port) as back, bench.envoy() as envoy:
            await exchange(back, envoy)


async def test_no_deadlock_when_both_directions_are_full(tmp_path: Path) -> None:
    """A control plane that reads nothing until its large answers are taken, and a flood of requests, both get done."""
    table = Table()
    large = sotw_response(type_urls.CLUSTER, b"x" * 3_000_000)
    async with FakeIstiod() as istiod, relay(istiod, tmp_path, table) as bench, bench.envoy() as envoy:
        await envoy.ask(type_urls.LISTENER, node="sidecar~1")
        stream = await istiod.accept()

        async def flood() -> None:
            for at in range(40):
                await envoy.ask(type_urls.CLUSTER, *("name" * 50_000,), nonce=str(at))

        async with asyncio.TaskGroup() as group:
            group.create_task(flood())
            for at in range(5):  # none of the requests has been read yet
                await stream.write(large)
                await stream.write(sotw_response(type_urls.NAME_TABLE, b"table", nonce=f"t{at}"))
                assert await envoy.read() == large
            nonces: list[str] = []
            while len(nonces) < 40:
                request = await stream.read()
                if request.type_url == type_urls.CLUSTER:
                    nonces.append(request.response_nonce)
        assert nonces == [str(at) for at in range(40)]
        assert table.taken == [b"table"] * 5


async def test_missing_root_stops_the_start(tmp_path: Path) -> None:
    """With TLS wanted and no root there, the agent fails at once and says which file it wants."""
    options = XdsProxyOptions(
        socket=tmp_path / "XDS", upstream=UpstreamOptions(address="istiod:15012", roots=str(tmp_path / "root.pem"))
    )
    with pytest.raises(DialError, match=r"root\.pem"):
        await XdsProxy(options, x509=inline_x509(), clock=SystemClock(), metrics=RelayMetrics()).__aenter__()


async def test_runs_until_told_and_stops_cleanly(tmp_path: Path) -> None:
    """Under the supervisor the service starts, is cancelled, and leaves without an error and without its socket."""
    until_told = asyncio.Event()
    upstream = UpstreamOptions(address="127.0.0.1:1", tls=False)
    proxy = XdsProxy(
        XdsProxyOptions(socket=tmp_path / "XDS", upstream=upstream),
        x509=inline_x509(),
        clock=SystemClock(),
        metrics=RelayMetrics(),
    )
    asyncio.get_running_loop().call_later(0.02, until_told.set)
    await run_all([proxy], until=until_told)
    assert not (tmp_path / "XDS").exists()


async def test_stop_ends_the_stream_regularly(tmp_path: Path) -> None:
    """Leaving the service ends the active stream without an error and removes the socket."""
    async with FakeIstiod() as istiod:
        async with relay(istiod, tmp_path) as bench:
            envoy = bench.envoy()
            await envoy.__aenter__()
            await exchange(istiod, envoy)
        assert await envoy.status() == ("OK", "")
        await envoy.__aexit__()
        assert not bench.socket.exists()
