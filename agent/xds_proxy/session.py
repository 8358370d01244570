"""One stream of Envoy joined to one stream of the control plane until either ends.

Three pumps, none with a queue, carry it: Envoy's requests up, the control plane's responses down, and the agent's own
words up. The pump of responses never waits for the other two, so the directions cannot lock each other: responses are
always taken (Envoy reads whatever comes), hence the control plane's sends complete, hence it reads requests again. What
that pump has to say itself goes into ``Outbox``, which never blocks and is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final, Protocol

import grpc.aio

from agent.x509.client import X509
from agent.xds_proxy.dial import UpstreamOptions
from agent.xds_proxy.ends import End, Side
from agent.xds_proxy.intercept import Intercept
from agent.xds_proxy.messages import Form
from agent.xds_proxy.metrics import RelayMetrics
from agent.xds_proxy.relay import Consume, Deliver, Drop, Health, Relay
from agent.xds_proxy.upstream import EndOfStream, UpstreamStream, open_stream
from discovery.runtime.logs import get_logger
from discovery.runtime.race import first_of

__all__ = ["Downstream", "Session"]

SLOW_SEND_S: Final = 10.0

log = get_logger("xdsproxy")


class Downstream(Protocol):
    """Envoy's end of the stream, as ``grpc.aio.ServicerContext`` has it."""

    async def read(self) -> object:
        """The next request as bytes; anything else means that Envoy will send no more."""

    async def write(self, message: bytes) -> None:
        """Send a response; waits while Envoy takes none."""


class Session:
    """One relayed stream."""

    def __init__(
        self,
        form: Form,
        downstream: Downstream,
        *,
        intercepts: Mapping[str, Intercept],
        health: Health | None,
        metrics: RelayMetrics,
        on_relayed: Callable[[int], None] = lambda _size: None,
    ) -> None:
        self.form = form
        self.over = asyncio.Event()
        self._downstream = downstream
        self._intercepts = intercepts
        self._relay = Relay(form, consumed=intercepts, health=health)
        self._metrics = metrics
        self._on_relayed = on_relayed
        self._dismissed = asyncio.Event()
        self._own_words = asyncio.Event()
        self._writing = asyncio.Lock()

    def dismiss(self) -> None:
        """End the session without an error: a newer stream of Envoy took its place, or the agent stops."""
        self._dismissed.set()

    def report_health(self, health: Health) -> None:
        """Tell the control plane of a change of health as soon as it knows the proxy."""
        self._relay.on_health(health)
        self._own_words.set()

    async def run(
        self,
        options: UpstreamOptions,
        *,
        x509: X509,
        now: Callable[[], datetime],
        admitted: Callable[[], Awaitable[None]],
    ) -> End:
        """Relay until either side ends.

        Args:
            options: of the control plane.
            x509: judges our client certificate.
            now: the wall clock, for its expiry.
            admitted: returns when the control plane may be called.

        Cancellation: both streams are closed.
        """

        async def join() -> End:
            await admitted()
            try:
                async with open_stream(options, self.form, x509=x509, now=now) as upstream:
                    log.info("connected to the control plane", address=options.address, form=self.form.name)
                    return await self._join(upstream)
            except EndOfStream as over:
                return over.end

        return await first_of(self._until_dismissed(), join())

    async def _until_dismissed(self) -> End:
        await self._dismissed.wait()
        return End(side=Side.AGENT)

    async def _join(self, upstream: UpstreamStream) -> End:
        return await first_of(self._responses(upstream), self._requests(upstream), self._words(upstream))

    async def _requests(self, upstream: UpstreamStream) -> End:
        """Envoy's requests go up one by one; flow control keeps those that wait in Envoy."""
        while isinstance(request := await self._read(), bytes):
            self._metrics.requests.inc()
            async with self._writing:  # judged inside: what follows a request must not be overtaken by newer words
                for data in self._relay.on_request(request):
                    try:
                        await upstream.write(data)
                    except EndOfStream as over:
                        return over.end
        return End(side=Side.ENVOY)

    async def _read(self) -> object:
        try:
            return await self._downstream.read()
        except grpc.aio.BaseError:
            return None  # Envoy's connection is gone

    async def _words(self, upstream: UpstreamStream) -> End:
        """What the agent itself has to say goes up between Envoy's requests."""
        while True:
            await self._own_words.wait()
            self._own_words.clear()
            async with self._writing:
                while (data := self._relay.outbox.take()) is not None:
                    try:
                        await upstream.write(data)
                    except EndOfStream as over:
                        return over.end

    async def _responses(self, upstream: UpstreamStream) -> End:
        """The control plane's responses go to whom they are for."""
        while True:
            try:
                data = await upstream.read()
                self._metrics.responses.inc()
                verdict = self._relay.on_response(data)
            except EndOfStream as over:
                return over.end
            except ValueError as error:
                return End(side=Side.ISTIOD, code="INTERNAL", details=f"unreadable response: {error}")
            match verdict:
                case Deliver():
                    if not await self._deliver(data, verdict.type_url):
                        return End(side=Side.ENVOY, code="CANCELLED")
                case Consume():
                    self._consume(verdict)
                case Drop():
                    log.error("response of the control plane dropped", reason=verdict.reason)
            self._on_relayed(len(data))
            del data, verdict  # it may be megabytes, and the next may come in an hour

    async def _deliver(self, data: bytes, type_url: str) -> bool:
        """Hand a response to Envoy; false when Envoy is gone."""
        slow = asyncio.get_running_loop().call_later(SLOW_SEND_S, _warn_slow, type_url)
        try:
            await self._downstream.write(data)
        except grpc.aio.BaseError:
            return False
        finally:
            slow.cancel()
        return True

    def _consume(self, consume: Consume) -> None:
        failure = None
        if consume.resource is not None:
            try:
                self._intercepts[consume.head.type_url].handle(consume.resource)
            except Exception as error:  # noqa: BLE001  # the boundary of one resource: refused, told, gone on
                failure = str(error) or type(error).__name__
                log.warning("configuration for the agent refused", type=consume.head.type_url, reason=failure)
        self._relay.answer(consume, failure)
        self._own_words.set()


def _warn_slow(type_url: str) -> None:
    log.warning("Envoy has not taken a response yet", type=type_url, waited_s=SLOW_SEND_S)
