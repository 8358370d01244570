"""One gRPC stream: reads requests into its session, writes what the session has to say.

Two tasks for the life of the stream and none per message. The reader never waits for a write, so ACKs are seen while a
large response is on its way; the writer pulls the next response only when the last one is out, so a slow client holds
no more than one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

import grpc
import grpc.aio
import msgspec

from discovery.registry.registrant import Registrant
from discovery.runtime.clock import Clock
from discovery.wire.type_urls import SHORT_NAMES
from discovery.xds.admission import ByteBudget, RequestRate
from discovery.xds.metrics import XdsMetrics
from discovery.xds.node_key import NodeFacts
from discovery.xds.request import Request, RequestError
from discovery.xds.session import Session
from discovery.xds.table import FellBehindError
from discovery.xds.world import Fact, Send, TooManyNamesError

__all__ = ["Connection", "Context", "StreamEndedError", "Wiring"]

LARGE_BYTES = 64 << 10  # responses from this size on share the byte budget

Context = grpc.aio.ServicerContext[bytes, bytes]


class StreamEndedError(Exception):
    """The stream is to end with a status; ``details`` are for the client."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{code.name}: {details}")
        self.code = code
        self.details = details


class Facts(Protocol):
    """Takes what a session reports."""

    def __call__(self, connection: Connection, facts: tuple[Fact, ...]) -> None:
        """Count and remember."""


class Wiring(msgspec.Struct, frozen=True, kw_only=True):
    """What all connections of a server share."""

    clock: Clock
    metrics: XdsMetrics
    budget: ByteBudget
    report: Facts
    settled: Callable[[], None]  # called once, when a connection's set-up is over


class Connection:
    """A stream whose first request has been understood and admitted.

    Attributes:
        id: ``<proxy id>-<n>``.
        writing_since: when the write began that is going on (monotonic seconds); None: there is none.
        pushed_since: when the oldest change came that is being pushed.
        registrant: the proxy as a workload that registers itself; None: it does not.
    """

    __slots__ = (
        "__weakref__",
        "_context",
        "_doom",
        "_idle",
        "_outbox",
        "_rate",
        "_settled",
        "_task",
        "_timer",
        "_wiring",
        "address",
        "connected_at",
        "id",
        "identity",
        "node",
        "pushed_since",
        "registrant",
        "session",
        "writing_since",
    )

    def __init__(
        self,
        session: Session,
        node: NodeFacts,
        context: Context,
        wiring: Wiring,
        *,
        address: str,
        identity: str = "",
    ) -> None:
        self.session = session
        self.node = node
        self.address = address
        self.identity = identity
        self.id = f"{node.id.name}-{session.number}"
        self.connected_at: datetime = wiring.clock.now()
        self.writing_since: float | None = None
        self.pushed_since: float | None = None
        self.registrant: Registrant | None = None
        self._context = context
        self._wiring = wiring
        self._rate = RequestRate()
        self._outbox: Send | None = None
        self._idle: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._doom: StreamEndedError | None = None
        self._settled = False

    async def serve(self) -> None:
        """Serve until the client ends the stream.

        Raises:
            StreamEndedError: the stream is to end with a status.
        """
        self._task = asyncio.current_task()
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._write_all(), name=f"xds writer {self.id}")
                await self._read_all()
                writer.cancel()
        except asyncio.CancelledError:
            if self._doom is None or self._task is None:
                raise
            self._task.uncancel()  # it was `end` that stopped us
        except BaseExceptionGroup as group:
            ended, others = group.split(StreamEndedError)
            if others is not None:
                raise
            self._doom = self._doom or _first(ended)
        finally:
            self._settle()
            if self._timer is not None:
                self._timer.cancel()
        if self._doom is not None:
            raise self._doom

    def end(self, code: grpc.StatusCode, details: str) -> None:
        """Have the stream end with a status."""
        self._doom = self._doom or StreamEndedError(code, details)
        if self._task is not None:
            self._task.cancel()

    def pump(self) -> None:
        """Start the next response if there is one and none is being written."""
        if self._outbox is not None or self._idle is None:
            return  # the writer asks again when it is done
        send = self._next()
        if send is not None:
            self._outbox = send
            self._idle.set_result(None)
            self._idle = None

    # -- reading ---------------------------------------------------------------------------------------------------

    async def _read_all(self) -> None:
        session, clock = self.session, self._wiring.clock
        request: Request | None
        read: Callable[[], Awaitable[object]] = self._context.read  # bytes, or EOF
        while True:
            raw = await read()
            if not isinstance(raw, bytes):
                return  # the client has nothing more to say
            now = clock.monotonic()
            if session.receive_ack(raw, now):
                self._settle()
                self.pump()
                continue
            wait_s = self._rate.take(now)
            if wait_s:
                await asyncio.sleep(
                    wait_s
                )  # reading on would only fill our memory; the transport holds the client back
            try:
                # Its node must not live on in a local: with it lives the memory of the whole message.
                request = session.variant.parse(raw)[0]
            except RequestError as error:
                raise StreamEndedError(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error
            self.receive(request)
            raw = request = None  # they may be large, and the next ones may be long in coming

    def receive(self, request: Request) -> None:
        """Take a request.

        Raises:
            StreamEndedError: the stream is to end with a status.
        """
        try:
            facts = self.session.receive(request, self._wiring.clock.monotonic())
        except TooManyNamesError as error:
            raise StreamEndedError(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error)) from error
        if facts:
            self._wiring.report(self, facts)
        self.pump()
        if request.nonce:
            self._settle()

    def _settle(self) -> None:
        if not self._settled:
            self._settled = True
            self._wiring.settled()

    # -- writing ---------------------------------------------------------------------------------------------------

    def _next(self) -> Send | None:
        clock, metrics = self._wiring.clock, self._wiring.metrics
        now = clock.monotonic()
        try:
            send = self.session.next_send(now)
        except FellBehindError as error:
            raise StreamEndedError(grpc.StatusCode.UNAVAILABLE, str(error)) from error
        if send is not None:
            metrics.push_time.observe(clock.monotonic() - now, SHORT_NAMES[send.type_url].lower())
            return send
        if self.pushed_since is not None:
            metrics.convergence.observe(now - self.pushed_since)
            self.pushed_since = None
        wake_at = self.session.wake_at
        if wake_at is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(max(0.0, wake_at - now), self._ring)
        return None

    def _ring(self) -> None:
        self._timer = None
        try:
            self.pump()
        except StreamEndedError as ended:
            self.end(ended.code, ended.details)

    async def _write_all(self) -> None:
        while True:
            send = self._outbox or self._next()
            if send is None:
                if not self._settled and self.session.quiet:
                    self._settle()  # it came back with all it needs
                self._idle = asyncio.get_running_loop().create_future()
                await self._idle
                continue
            if send.size >= LARGE_BYTES:
                async with self._wiring.budget.share(send.size):
                    await self._write(send)
            else:
                await self._write(send)
            self._outbox = None

    async def _write(self, send: Send) -> None:
        clock, metrics = self._wiring.clock, self._wiring.metrics
        short = SHORT_NAMES[send.type_url].lower()
        self.writing_since = started = clock.monotonic()
        try:
            await self._context.write(send.data())
        except (grpc.aio.AioRpcError, grpc.aio.UsageError) as error:
            metrics.pushes.inc(f"{short}_senderr")
            raise StreamEndedError(grpc.StatusCode.UNAVAILABLE, f"write failed: {error}") from error
        finally:
            self.writing_since = None
        metrics.pushes.inc(short)
        metrics.send_time.observe(clock.monotonic() - started)
        metrics.size.observe(send.size, send.type_url)


def _first(group: BaseExceptionGroup[StreamEndedError] | None) -> StreamEndedError | None:
    error: BaseException | None = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, StreamEndedError) else None
