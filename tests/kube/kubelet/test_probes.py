"""Probes against real servers on loopback, and what rows of answers amount to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from aiohttp import web

from tests.kit.free_ports import free_ports
from tests.kube.kubelet.probes import ProbeTally, Verdict, ask_once, named_port, parse_probe


@pytest.fixture
async def http_port() -> AsyncIterator[int]:
    """A server whose answer to `/N` has the status N, if it is asked as a kubelet asks."""

    ended = asyncio.Event()

    async def serve(request: web.Request) -> web.Response:
        assert request.headers["User-Agent"].startswith("kube-probe/")
        if request.path == "/hangs":
            await ended.wait()
            return web.Response()
        return web.Response(status=int(request.path[1:]), text=request.headers.get("X-Asked", ""))

    application = web.Application()
    application.router.add_get("/{status}", serve)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    ended.set()
    await runner.cleanup()


@pytest.fixture
async def grpc_port() -> AsyncIterator[int]:
    """A health service where the server as a whole is well, and `ill` is not."""

    async def check(question: bytes, _: Any) -> bytes:
        return b"\x08\x02" if question.endswith(b"ill") else b"\x08\x01"

    handler = grpc.unary_unary_rpc_method_handler(check)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port
    await server.stop(0)


async def ask(handler: dict[str, Any], container: dict[str, Any] | None = None) -> tuple[bool, str]:
    """One question."""
    probe = parse_probe({**handler, "timeoutSeconds": 1})
    assert probe is not None
    return await ask_once(probe, container=container or {}, ip="127.0.0.1", process=lambda: None)


@pytest.mark.parametrize(("status", "good"), [(200, True), (204, True), (302, True), (404, False), (503, False)])
async def test_http(http_port: int, status: int, good: bool) -> None:
    """Success is 200 to 399."""
    headers = [{"name": "X-Asked", "value": "yes"}]
    answer, words = await ask({"httpGet": {"path": f"/{status}", "port": http_port, "httpHeaders": headers}})
    assert answer == good
    assert words.startswith(str(status))


async def test_no_answer_in_time_is_a_failure(http_port: int) -> None:
    """With the time in its words."""
    assert await ask({"httpGet": {"path": "/hangs", "port": http_port}}) == (False, "no answer within 1 s")


async def test_tcp(http_port: int) -> None:
    """A connection is enough; a refusal is a failure, and its words say so."""
    assert (await ask({"tcpSocket": {"port": http_port}}))[0]
    good, words = await ask({"tcpSocket": {"port": free_ports(1)[0]}})
    assert not good
    assert "ConnectionRefusedError" in words


async def test_grpc(grpc_port: int) -> None:
    """SERVING is success, for the whole server or the service that is named."""
    assert (await ask({"grpc": {"port": grpc_port}}))[0]
    assert (await ask({"grpc": {"port": grpc_port, "service": "well"}}))[0]
    assert not (await ask({"grpc": {"port": grpc_port, "service": "ill"}}))[0]
    assert not (await ask({"grpc": {"port": free_ports(1)[0]}}))[0]


async def test_a_command_needs_its_container() -> None:
    """One that does not run is a failure."""
    assert await ask({"exec": {"command": ["true"]}}) == (False, "not running")


def test_ports_have_names() -> None:
    """As the container's list has them; an unknown one is port 0, where nobody listens."""
    container = {"ports": [{"name": "http", "containerPort": 8080}]}
    assert [named_port(container, port) for port in (80, "81", "http", "gone")] == [80, 81, 8080, 0]


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ("", Verdict.UNDECIDED),
        ("+", Verdict.UNDECIDED),
        ("++", Verdict.SUCCESS),
        ("-", Verdict.UNDECIDED),
        ("--", Verdict.UNDECIDED),
        ("---", Verdict.FAILURE),
        ("--+-", Verdict.UNDECIDED),
        ("++--", Verdict.SUCCESS),
        ("++---", Verdict.FAILURE),
        ("---+", Verdict.FAILURE),
        ("---++", Verdict.SUCCESS),
    ],
)
def test_thresholds(answers: str, verdict: Verdict) -> None:
    """Two good answers in a row, or three bad ones, change the verdict; anything else leaves it."""
    probe = parse_probe({"successThreshold": 2, "failureThreshold": 3})
    assert probe is not None
    tally = ProbeTally(probe)
    for answer in answers:
        tally.add(good=answer == "+")
    assert tally.verdict is verdict
