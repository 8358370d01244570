"""The ADS server on a Unix socket that Envoy takes for its control plane.

One stream is active at a time, for one Envoy lives beside one agent: a newer stream ends the older one. The agent does
not retry: when the control plane goes, Envoy's stream ends and Envoy opens another one, with the versions it holds, so
that nothing is sent twice. ``gate`` keeps these attempts apart.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn, Self

import grpc
import grpc.aio
import msgspec

from agent.envoy.hot_restart import EPOCH_HEADER
from agent.x509.client import X509
from agent.xds_proxy.dial import UpstreamOptions, read_roots
from agent.xds_proxy.ends import End, Severity, Side, explain_failure, judge_severity
from agent.xds_proxy.gate import ReconnectGate
from agent.xds_proxy.heap import HeapKeeper
from agent.xds_proxy.intercept import Intercept, index_intercepts
from agent.xds_proxy.messages import ADS_SERVICE, Form
from agent.xds_proxy.metrics import RelayMetrics
from agent.xds_proxy.relay import Health
from agent.xds_proxy.session import Session
from agent.xds_proxy.unix_socket import bind_socket
from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger

__all__ = ["XdsProxy", "XdsProxyOptions"]

_HANDOVER_S: Final = 5.0
_STOP_S: Final = 1.0

log = get_logger("xdsproxy")

_Context = grpc.aio.ServicerContext[bytes, bytes]


class XdsProxyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where Envoy finds the relay, and what lies behind it.

    Attributes:
        socket: path of the Unix socket, at most 107 bytes long.
        upstream: the control plane.
        max_streams: concurrent streams on one connection of Envoy.
        max_request_bytes: the largest request that is taken.
    """

    socket: Path
    upstream: UpstreamOptions
    max_streams: int = 100_000
    max_request_bytes: int = 4 << 20


class XdsProxy:
    """The relay as a service of the agent (``discovery.runtime.supervise.Service``)."""

    name = "xds proxy"

    def __init__(
        self,
        options: XdsProxyOptions,
        *,
        x509: X509,
        clock: Clock,
        metrics: RelayMetrics,
        intercepts: Iterable[Intercept] = (),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._options = options
        self._x509 = x509
        self._clock = clock
        self._metrics = metrics
        self._intercepts = index_intercepts(intercepts)
        self._heap = HeapKeeper()
        self._gate = ReconnectGate(chance=chance)
        self._health: Health | None = None
        self._epoch = 0  # the first that is served
        self._active_epoch = 0
        self._active: Session | None = None
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> Self:
        """Bind the socket.

        Raises:
            DialError: TLS is wanted and the trusted roots are not there.
            SocketError: the socket cannot be bound.
        """
        upstream = self._options.upstream
        if upstream.tls:
            read_roots(upstream.roots)  # a missing root is told at the start, not minutes later by a silent Envoy
        server = grpc.aio.server(options=_server_settings(self._options))
        handlers = {form.rpc: grpc.stream_stream_rpc_method_handler(self._handler(form)) for form in Form}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(ADS_SERVICE, handlers),))
        bind_socket(server, self._options.socket, directory_mode=0o750)
        await server.start()
        self._server = server
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the active stream and remove the socket."""
        if self._active is not None:
            self._active.dismiss()
        if self._server is not None:
            await self._server.stop(_STOP_S)
        self._options.socket.unlink(missing_ok=True)

    async def run(self) -> None:
        """Serve until cancelled."""
        # not wait_for_termination(): cancelled, it cancels gRPC's own future, and stop() then fails on that
        await asyncio.Event().wait()

    def report_health(self, health: Health) -> None:
        """Remember the workload's health and tell the control plane; a repeated state is not told again."""
        if health == self._health:
            return
        self._health = health
        if self._active is not None:
            self._active.report_health(health)

    def serve_from(self, epoch: int) -> None:
        """Serve only Envoys of this epoch and later ones: one that is being replaced would cut its successor off."""
        self._epoch = epoch

    def _handler(self, form: Form) -> Callable[[object, _Context], object]:
        async def handle(_requests: object, context: _Context) -> None:
            await self._serve(form, context)

        return handle

    async def _serve(self, form: Form, context: _Context) -> None:
        """One stream of Envoy, from its acceptance to its end."""
        epoch = _epoch_of(context)
        if epoch < self._epoch:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "another Envoy has taken the place of this one")
        session = Session(
            form,
            context,
            intercepts=self._intercepts,
            health=self._health,
            metrics=self._metrics,
            on_relayed=self._heap.on_relayed,
        )
        previous, self._active = self._active, session
        replaced, self._active_epoch = epoch > self._active_epoch, epoch
        try:
            await _take_over(previous, replaced=replaced)
            end = await session.run(
                self._options.upstream, x509=self._x509, now=self._clock.now, admitted=self._admitted
            )
        except asyncio.CancelledError:
            self._note(End(side=Side.ENVOY, code="CANCELLED"))  # Envoy is gone
            raise
        finally:
            session.over.set()
            if self._active is session:
                self._active = None
        self._note(end)
        if not end.graceful:
            await _abort(context, end)

    async def _admitted(self) -> None:
        delay_s = self._gate.delay_s(self._clock.monotonic())
        if delay_s > 0:
            log.debug("waiting before connecting to the control plane", delay_s=round(delay_s, 3))
            await asyncio.sleep(delay_s)

    def _note(self, end: End) -> None:
        self._metrics.on_end(end)
        if end.side is not Side.ISTIOD:
            log.debug("stream ended", side=end.side, code=end.code)
            return
        self._gate.on_end(self._clock.monotonic(), answered=end.answered)
        upstream = self._options.upstream
        if judge_severity(end.code, end.details) is Severity.CANCELLED and end.connected:
            log.info("control plane ended the stream; Envoy will reconnect", address=upstream.address, code=end.code)
            return
        hint = explain_failure(
            end.code,
            end.details,
            address=upstream.address,
            roots=upstream.roots,
            token=upstream.token,
            chain=upstream.client_chain,
        )
        log.warning(
            "stream to the control plane failed" if end.connected else "control plane cannot be reached",
            address=upstream.address,
            code=end.code,
            reason=end.details,
            hint=hint,
        )


def _epoch_of(context: _Context) -> int:
    text = next((str(value) for key, value in context.invocation_metadata() or () if key == EPOCH_HEADER), "0")
    return int(text) if text.isdecimal() else 0


async def _take_over(previous: Session | None, *, replaced: bool) -> None:
    """End an older stream first, so that the control plane never sees this proxy twice."""
    if previous is None:
        return
    if replaced:
        log.info("the Envoy that takes over is served now, and the one before it no more")
    else:
        log.warning("Envoy opened a second stream; closing the older one")
    previous.dismiss()
    try:
        async with asyncio.timeout(_HANDOVER_S):
            await previous.over.wait()
    except TimeoutError:
        log.warning("the older stream of Envoy does not end; going on without waiting", waited_s=_HANDOVER_S)


async def _abort(context: _Context, end: End) -> NoReturn:
    await context.abort(grpc.StatusCode[end.code], end.details)


def _server_settings(options: XdsProxyOptions) -> list[tuple[str, int]]:
    upstream = options.upstream
    return [
        ("grpc.max_concurrent_streams", options.max_streams),
        ("grpc.max_receive_message_length", options.max_request_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.keepalive_time_ms", int(upstream.keepalive_interval_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(upstream.keepalive_timeout_s * 1000)),
        ("grpc.http2.min_ping_interval_without_data_ms", 5000),
        ("grpc.so_reuseport", 0),
    ]
