"""One session against a scripted Envoy: what cannot be provoked through a socket."""

from __future__ import annotations

import asyncio

import pytest

from agent.xds_proxy import session as module
from agent.xds_proxy.dial import UpstreamOptions
from agent.xds_proxy.ends import Side
from agent.xds_proxy.messages import Form
from agent.xds_proxy.metrics import RelayMetrics
from agent.xds_proxy.session import Session
from discovery.runtime.clock import SystemClock
from discovery.wire import type_urls
from tests.kit.fake_istiod import FakeIstiod, sotw_response
from tests.kit.inline_x509 import inline_x509


class StuckEnvoy:
    """Sends one request and takes no response until released."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.taken: list[bytes] = []
        self._requests = [b""]

    async def read(self) -> object:
        if self._requests:
            return self._requests.pop()
        await asyncio.Event().wait()
        return None

    async def write(self, message: bytes) -> None:
        await self.released.wait()
        self.taken.append(message)


def start(envoy: StuckEnvoy) -> Session:
    return Session(Form.SOTW, envoy, intercepts={}, health=None, metrics=RelayMetrics())


async def at_once() -> None:
    """No gate."""


async def test_slow_envoy_is_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """A response that Envoy does not take is told once, waited for, and not lost."""
    warned = asyncio.Event()
    monkeypatch.setattr(module, "SLOW_SEND_S", 0.0)
    monkeypatch.setattr(module, "_warn_slow", lambda _type_url: warned.set())
    envoy = StuckEnvoy()
    session = start(envoy)
    async with FakeIstiod() as istiod, asyncio.TaskGroup() as group:
        options = UpstreamOptions(address=istiod.address, tls=False)
        task = group.create_task(session.run(options, x509=inline_x509(), now=SystemClock().now, admitted=at_once))
        stream = await istiod.accept()
        await stream.write(sotw_response(type_urls.CLUSTER, b"x"))
        await warned.wait()
        envoy.released.set()
        stream.end()
        assert (await task).side is Side.ISTIOD
    assert len(envoy.taken) == 1


async def test_dismissal_while_waiting_to_connect() -> None:
    """A session that still waits at the gate ends at once when a newer stream takes over."""
    session = start(StuckEnvoy())
    async with asyncio.TaskGroup() as group:
        options = UpstreamOptions(address="127.0.0.1:1", tls=False)
        never = asyncio.Event()

        async def blocked() -> None:
            await never.wait()

        task = group.create_task(session.run(options, x509=inline_x509(), now=SystemClock().now, admitted=blocked))
        await asyncio.sleep(0)
        session.dismiss()
        assert (await task).side is Side.AGENT


async def test_unreadable_response_ends_the_stream() -> None:
    """Bytes that are no message end the stream as the control plane's error; Envoy will reconnect."""
    session = start(StuckEnvoy())
    async with FakeIstiod() as istiod, asyncio.TaskGroup() as group:
        options = UpstreamOptions(address=istiod.address, tls=False)
        task = group.create_task(session.run(options, x509=inline_x509(), now=SystemClock().now, admitted=at_once))
        stream = await istiod.accept()
        await stream.write_bytes(b"\xff\xff")
        end = await task
    assert (end.side, end.code) == (Side.ISTIOD, "INTERNAL")
    assert "unreadable" in end.details
