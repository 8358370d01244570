"""The proxy on real sockets: both protocols, both families, many clients, and its bounds."""

from __future__ import annotations

import asyncio
import socket

import dns.message
import dns.rcode
import pytest

from agent.dns import server as module
from agent.dns.metrics import DnsMetrics
from agent.dns.resolver import Resolver
from agent.dns.server import DnsServer, DnsServerOptions
from agent.dns.upstream import Upstream, UpstreamOptions
from tests.kit.dns_proxy import dns_proxy
from tests.kit.eventually import eventually
from tests.kit.fake_resolver import FakeResolver, address_reply, ask_tcp, ask_udp, nxdomain, question

TABLE = {"api.example": {"ips": ["1.1.1.1"], "registry": "External"}}


def first(data: bytes) -> str:
    """The first address of an answer, or what it says instead."""
    answer = dns.message.from_wire(data)
    return answer.answer[0][0].to_text() if answer.answer else dns.rcode.to_text(answer.rcode())


async def test_both_protocols_answer_on_one_port() -> None:
    """Names of the mesh and others."""
    async with (
        FakeResolver(lambda query, _: address_reply(query, "9.9.9.9")) as upstream,
        dns_proxy(TABLE, ports=(upstream.port,)) as proxy,
    ):
        for ask in (ask_udp, ask_tcp):
            assert first(await ask(proxy.address, question("api.example.").to_wire())) == "1.1.1.1"
            assert first(await ask(proxy.address, question("out.example.").to_wire())) == "9.9.9.9"
        assert proxy.metrics.requests.count() == 4
        assert len(upstream.asked) == 2


async def test_both_families_share_a_port() -> None:
    """Where the host's resolvers are of both."""
    async with dns_proxy(TABLE, listen=(("127.0.0.1", 0), ("::1", 0))) as proxy:
        (_, port), other = proxy.server.addresses
        assert other == ("::1", port)
        assert first(await ask_udp(other, question("api.example.").to_wire())) == "1.1.1.1"


async def test_a_connection_carries_many_questions() -> None:
    """Also when they come at once, and in pieces."""
    async with dns_proxy(TABLE) as proxy:
        reader, writer = await asyncio.open_connection(*proxy.address)
        data = b"".join(
            len(part).to_bytes(2) + part for part in (question("api.example.", id=n).to_wire() for n in range(3))
        )
        writer.write(data[:5])
        await writer.drain()
        writer.write(data[5:])
        async with asyncio.timeout(5):
            answers = [await reader.readexactly(int.from_bytes(await reader.readexactly(2))) for _ in range(3)]
        assert [int.from_bytes(answer[:2]) for answer in answers] == [0, 1, 2]
        writer.close()


async def test_nobody_upstream_is_told_to_the_client() -> None:
    """SERVFAIL, and the name is asked anew next time."""
    async with dns_proxy(TABLE) as proxy:
        assert first(await ask_udp(proxy.address, question("out.example.").to_wire())) == "SERVFAIL"
        assert first(await ask_tcp(proxy.address, question("out.example.").to_wire())) == "SERVFAIL"
        assert proxy.metrics.upstream_failures.count() == 2


async def test_a_storm_of_search_domains_is_asked_once() -> None:
    """What does not exist is remembered for as long as was said."""
    async with (
        FakeResolver(lambda query, _: nxdomain(query, ttl=20)) as upstream,
        dns_proxy(TABLE, ports=(upstream.port,)) as proxy,
    ):
        for _ in range(5):
            assert first(await ask_udp(proxy.address, question("out.example.svc.").to_wire())) == "NXDOMAIN"
        assert len(upstream.asked) == 1
        proxy.clock.advance(20)
        assert first(await ask_udp(proxy.address, question("out.example.svc.").to_wire())) == "NXDOMAIN"
        assert len(upstream.asked) == 2
        assert proxy.metrics.remembered.count() == 4


async def test_many_clients_at_once_are_all_answered() -> None:
    """More questions than one turn of the loop takes, from here and from upstream."""
    async with (
        FakeResolver(lambda query, _: address_reply(query, "9.9.9.9")) as upstream,
        dns_proxy(TABLE, ports=(upstream.port,)) as proxy,
    ):
        names = ["api.example.", "out.example."] * 150
        asked = [ask_udp(proxy.address, question(name).to_wire()) for name in names]
        answers = await asyncio.gather(*asked)
    assert [first(answer) for answer in answers] == ["1.1.1.1", "9.9.9.9"] * 150


async def test_questions_that_wait_are_bounded() -> None:
    """One too many is refused at once; names of the mesh are answered all the same."""
    async with (
        FakeResolver(lambda *_: None) as mute,
        dns_proxy(TABLE, ports=(mute.port,), max_questions=2) as proxy,
        asyncio.TaskGroup() as group,
    ):
        waiting = [group.create_task(ask_udp(proxy.address, question("out.example.").to_wire())) for _ in range(2)]
        await eventually(lambda: len(mute.asked) == 2)
        assert first(await ask_udp(proxy.address, question("out.example.").to_wire())) == "SERVFAIL"
        assert first(await ask_udp(proxy.address, question("api.example.").to_wire())) == "1.1.1.1"
        assert proxy.metrics.overflows.count("question") == 1
        for task in waiting:
            task.cancel()


async def test_connections_are_bounded() -> None:
    """One too many is closed; when one has gone there is room again."""
    async with dns_proxy(TABLE, max_connections=1) as proxy:
        _, writer = await asyncio.open_connection(*proxy.address)
        await eventually(lambda: proxy.server._connections == 1)
        with pytest.raises((EOFError, ConnectionError)):
            await ask_tcp(proxy.address, question("api.example.").to_wire())
        assert proxy.metrics.overflows.count("connection") == 1
        writer.close()
        await eventually(lambda: proxy.server._connections == 0)
        assert first(await ask_tcp(proxy.address, question("api.example.").to_wire())) == "1.1.1.1"


async def test_idle_connections_end() -> None:
    """A client that says nothing does not hold a place for ever."""
    async with dns_proxy(TABLE, idle_s=0.02) as proxy:
        reader, writer = await asyncio.open_connection(*proxy.address)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("noise", [b"", b"\0", bytes(11), bytes(3000), b"\xff" * 600])
async def test_noise_harms_nobody(noise: bytes) -> None:
    """By UDP it is passed over or refused; a connection with it may end; others are answered."""
    async with dns_proxy(TABLE) as proxy:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(noise, proxy.address)
        reader, writer = await asyncio.open_connection(*proxy.address)
        writer.write(len(noise).to_bytes(2) + noise)
        writer.write_eof()
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()
        assert first(await ask_udp(proxy.address, question("api.example.").to_wire())) == "1.1.1.1"


async def test_an_error_of_ours_fails_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as SERVFAIL and logged; the proxy goes on."""

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    async with dns_proxy(TABLE) as proxy:
        monkeypatch.setattr(Upstream, "ask", broken)
        assert first(await ask_udp(proxy.address, question("out.example.").to_wire())) == "SERVFAIL"
        assert first(await ask_udp(proxy.address, question("api.example.").to_wire())) == "1.1.1.1"


def idle_server(port: int) -> DnsServer:
    metrics = DnsMetrics()
    return DnsServer(
        DnsServerOptions(listen=(("127.0.0.1", port),)),
        Resolver(metrics, monotonic=lambda: 0.0, chance=lambda: 0.0),
        Upstream(UpstreamOptions(servers=()), metrics, monotonic=lambda: 0.0),
        metrics=metrics,
    )


async def test_a_taken_port_stops_the_start() -> None:
    """The message names the address and the variable; nothing stays bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"DNS proxy at 127.0.0.1:{port}.*see DNS_PROXY_ADDR"):
            await idle_server(port).__aenter__()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(("127.0.0.1", port))


async def test_a_port_free_for_one_protocol_only_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one is tried."""
    bind = module._bind
    failed: list[object] = []

    def once(listen: tuple[tuple[str, int], ...]) -> tuple[list[socket.socket], list[socket.socket]]:
        if not failed:
            failed.append(listen)
            raise OSError(98, "Address already in use")
        return bind(listen)

    monkeypatch.setattr(module, "_bind", once)
    async with idle_server(0) as server:
        assert server.addresses[0][1]
    assert failed
