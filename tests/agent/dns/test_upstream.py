"""Questions to resolvers over real sockets: who is asked, who is believed, and what is given up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.message
import pytest

from agent.dns import upstream as module
from agent.dns.messages import parse_query
from agent.dns.metrics import DnsMetrics
from agent.dns.resolver import Forward
from agent.dns.upstream import Server, Upstream, UpstreamOptions
from tests.kit.fake_resolver import FakeResolver, address_reply, nxdomain, question


def forward(name: str = "out.example.", *, edns: int = 0) -> Forward:
    data = question(name, edns=edns).to_wire()
    query = parse_query(data)
    return Forward(data, query, query.size)


def answer(query: dns.message.Message, tcp: bool) -> dns.message.Message:
    del tcp
    return address_reply(query, "9.9.9.9")


def silent(query: dns.message.Message, tcp: bool) -> None:
    del query, tcp


@asynccontextmanager
async def asking(
    *ports: int, timeout_s: float = 5, parallel: bool = False
) -> AsyncIterator[tuple[Upstream, DnsMetrics]]:
    metrics = DnsMetrics()
    servers = tuple(Server("127.0.0.1", port) for port in ports)
    loop = asyncio.get_running_loop()
    made = Upstream(
        UpstreamOptions(servers=servers, timeout_s=timeout_s, parallel=parallel), metrics, monotonic=loop.time
    )
    try:
        yield made, metrics
    finally:
        made.close()


@pytest.mark.parametrize("tcp", [False, True])
async def test_a_resolver_answers(*, tcp: bool) -> None:
    """By the protocol of the client, under another id than the client's."""
    ids = []

    def reply(query: dns.message.Message, by_tcp: bool) -> dns.message.Message:
        assert by_tcp is tcp
        ids.append(query.id)
        return address_reply(query, "9.9.9.9")

    async with FakeResolver(reply) as resolver, asking(resolver.port) as (made, metrics):
        for _ in range(3):
            found = await made.ask(forward(), tcp=tcp)
            assert found is not None
            assert dns.message.from_wire(found).answer[0][0].to_text() == "9.9.9.9"
    assert len({*ids, 7}) > 2
    assert metrics.upstream_requests.count() == 3
    (duration,) = metrics.upstream_duration.collect()
    assert duration.samples[-1].value == 3


async def test_the_first_answer_counts_whatever_it_says() -> None:
    """That a name does not exist is an answer; nobody else is asked."""
    async with (
        FakeResolver(lambda query, _: nxdomain(query)) as resolver,
        asking(resolver.port, resolver.port) as (made, _),
    ):
        assert await made.ask(forward()) is not None
        assert len(resolver.asked) == 1


@pytest.mark.parametrize("tcp", [False, True])
async def test_who_cannot_be_asked_is_passed_over(*, tcp: bool) -> None:
    """A port that nobody listens on fails at once."""
    async with FakeResolver(answer) as gone:
        dead = gone.port
    async with FakeResolver(answer) as resolver, asking(dead, resolver.port) as (made, metrics):
        for _ in range(8):
            assert await made.ask(forward(), tcp=tcp) is not None
        assert metrics.upstream_failures.count() == 0


async def test_who_is_silent_has_his_time_alone() -> None:
    """Then comes the next one; when nobody answers, there is no answer, and it is counted."""
    async with FakeResolver(silent) as mute, FakeResolver(answer) as resolver:
        async with asking(mute.port, resolver.port, timeout_s=0.05) as (made, metrics):
            for _ in range(4):
                assert await made.ask(forward()) is not None
            assert metrics.upstream_failures.count() == 0
        async with asking(mute.port, mute.port, timeout_s=0.02) as (made, metrics):
            assert await made.ask(forward()) is None
            assert (metrics.upstream_requests.count(), metrics.upstream_failures.count()) == (2, 1)
    async with asking() as (made, metrics):
        assert await made.ask(forward()) is None


async def test_all_may_be_asked_at_once() -> None:
    """The first answer counts, the slow ones are left."""
    async with FakeResolver(silent) as mute, FakeResolver(answer) as resolver:
        async with asking(mute.port, resolver.port, parallel=True) as (made, metrics):
            assert await made.ask(forward()) is not None
            assert metrics.upstream_requests.count() == 2
        async with asking(mute.port, mute.port, timeout_s=0.02, parallel=True) as (made, metrics):
            assert await made.ask(forward()) is None


async def test_a_lost_datagram_is_sent_again() -> None:
    """Within the time of the resolver, under the same id."""
    seen: list[int] = []

    def reply(query: dns.message.Message, tcp: bool) -> dns.message.Message | None:
        seen.append(query.id)
        return answer(query, tcp) if len(seen) > 1 else None

    async with FakeResolver(reply) as resolver, asking(resolver.port, timeout_s=0.1) as (made, _):
        assert await made.ask(forward()) is not None
    assert len(seen) == 2
    assert len(set(seen)) == 1


async def test_answers_to_other_questions_are_not_believed() -> None:
    """Wrong ids, wrong names, and noise before the right answer are passed over."""

    async with FakeResolver(silent) as resolver, asking(resolver.port) as (made, _):

        def reply(query: dns.message.Message, tcp: bool) -> bytes:
            right = answer(query, tcp).to_wire()
            transport = resolver.transport
            assert transport is not None
            for wrong in (
                b"",
                b"noise",
                bytes((right[0] ^ 1,)) + right[1:],
                right.replace(b"out", b"our"),
                query.to_wire(),
            ):
                transport.sendto(wrong, resolver.last_client)
            return right

        resolver.reply = reply
        found = await made.ask(forward())
        assert found is not None
        assert dns.message.from_wire(found).answer[0][0].to_text() == "9.9.9.9"


async def test_an_answer_longer_than_asked_for_is_none() -> None:
    """It is forged or broken; who takes more gets it."""
    addresses = [f"9.9.9.{number}" for number in range(100)]
    async with (
        FakeResolver(lambda query, _: address_reply(query, *addresses)) as resolver,
        asking(resolver.port) as (made, _),
    ):
        assert await made.ask(forward()) is None
        assert await made.ask(forward(edns=4096)) is not None
        assert await made.ask(forward(), tcp=True) is not None


async def test_a_foreign_answer_by_tcp_is_none() -> None:
    """There is nothing to wait for on a connection that carries one question."""
    async with (
        FakeResolver(lambda query, _: address_reply(question("other.example.", id=query.id), "9.9.9.9")) as resolver,
        asking(resolver.port) as (made, _),
    ):
        assert await made.ask(forward(), tcp=True) is None


async def test_sockets_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some questions the port is another one; a question under way keeps its own until it is answered."""
    monkeypatch.setattr(module, "_QUESTIONS_PER_SOCKET", 2)
    ports: list[int] = []
    held = asyncio.Event()
    async with FakeResolver(silent) as resolver, asking(resolver.port) as (made, _), asyncio.TaskGroup() as group:

        def reply(query: dns.message.Message, tcp: bool) -> dns.message.Message | None:
            ports.append(resolver.last_client[1])
            if len(ports) == 1:
                held.set()
                return None
            return answer(query, tcp)

        resolver.reply = reply
        slow = group.create_task(made.ask(forward("slow.example.")))
        await held.wait()
        for _ in range(4):
            assert await made.ask(forward()) is not None
        assert ports[0] == ports[1] != ports[2] == ports[3] != ports[4]
        line = next(iter(made._lines.values()))
        assert len(line._old) == 1
        slow.cancel()
    assert not line._old


async def test_close_ends_questions_under_way() -> None:
    """They get no answer, and their sockets are gone."""
    asked = asyncio.Event()

    def reply(query: dns.message.Message, tcp: bool) -> None:
        del query, tcp
        asked.set()

    async with FakeResolver(reply) as resolver, asking(resolver.port) as (made, _), asyncio.TaskGroup() as group:
        waiting = group.create_task(made.ask(forward()))
        await asked.wait()
        made.close()
        assert await waiting is None
