"""The gRPC shell: N streams over a few channels, held until told otherwise, reopened when the server drops them.

One task per stream reads, hands the bytes to its session and writes what the session answers.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio
import msgspec

from benchmarks.loadgen.messages import Sidecar, encode_node
from benchmarks.loadgen.payload import Reader, Variant
from benchmarks.loadgen.session import Session, new_session
from benchmarks.loadgen.tally import summarise
from discovery.runtime.backoff import backoff_delays

__all__ = ["Fleet", "Target"]

_METHODS = {
    Variant.DELTA: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
    Variant.SOTW: "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
}
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),  # or all channels to one address would share one connection
)
_WRITE_S = 10.0  # a server that does not read for so long is reported as a failure

Call = grpc.aio.StreamStreamCall[bytes, bytes]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where to connect, and how."""

    address: str
    variant: Variant = Variant.DELTA
    channels: int = 8
    token: str = ""
    root_cert: bytes = b""
    server_name: str = ""

    def channel(self) -> grpc.aio.Channel:
        """A connection of its own; TLS when a root certificate is given."""
        if not self.root_cert:
            return grpc.aio.insecure_channel(self.address, options=_OPTIONS)
        options = (*_OPTIONS, *((("grpc.ssl_target_name_override", self.server_name),) if self.server_name else ()))
        return grpc.aio.secure_channel(self.address, grpc.ssl_channel_credentials(self.root_cert), options=options)


class _Stream:
    """One sidecar: its session, and its call while it has one."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.call: Call | None = None
        self.ready = False


class Fleet:
    """All streams of this process. Use as an async context manager; leaving it closes every stream."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._reader = Reader(target.variant)
        self._streams: list[_Stream] = []
        self._channels: list[grpc.aio.Channel] = []
        self._may_open = asyncio.Event()
        self._may_open.set()
        self._changed = asyncio.Event()
        self._last_activity = time.monotonic()
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []
        self.failures: Counter[str] = Counter()

    async def __aenter__(self) -> Fleet:
        await self._group.__aenter__()
        self._channels = [self._target.channel() for _ in range(self._target.channels)]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        for task in self._tasks:
            task.cancel("the fleet is leaving")
        await self._group.__aexit__(None, None, None)
        for channel in self._channels:
            await channel.close(grace=None)

    def add(self, sidecars: Sequence[Sidecar]) -> None:
        """Start one stream per sidecar; returns at once."""
        self._touch()
        for sidecar in sidecars:
            stream = _Stream(new_session(self._target.variant, encode_node(sidecar), self._reader))
            channel = self._channels[len(self._streams) % len(self._channels)]
            self._streams.append(stream)
            self._tasks.append(self._group.create_task(self._keep(stream, channel), name=sidecar.name))

    def mark(self) -> None:
        """Count anew from here."""
        for stream in self._streams:
            stream.session.tally.reset()
        self.failures.clear()

    async def drop(self) -> None:
        """Close all streams and hold them closed until ``reopen``; what the sidecars hold is kept."""
        self._may_open.clear()
        for stream in self._streams:
            if stream.call is not None:
                stream.call.cancel()
        while any(stream.call is not None for stream in self._streams):
            await self._next_change()

    def reopen(self) -> None:
        """Let all streams connect again, all at once."""
        self._touch()
        self._may_open.set()

    async def wait_ready(self, timeout_s: float) -> bool:
        """Until every sidecar has its first whole configuration; False when time ran out."""
        try:
            async with asyncio.timeout(timeout_s):
                while not all(stream.ready for stream in self._streams):
                    await self._next_change()
        except TimeoutError:
            return False
        return True

    async def settle(self, *, quiet_s: float, at_least: int, timeout_s: float) -> bool:
        """Until each stream has had ``at_least`` responses since the mark and nothing came for ``quiet_s``."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            idle_s = time.monotonic() - self._last_activity
            if idle_s < quiet_s:
                await asyncio.sleep(quiet_s - idle_s)
            elif all(stream.session.tally.responses >= at_least for stream in self._streams):
                return True
            else:
                await asyncio.sleep(quiet_s)
        return False

    def report(self) -> dict[str, Any]:
        """What was received since the mark, which streams are up, and what the first unready one waits for."""
        unready = [stream for stream in self._streams if not stream.ready]
        return summarise(stream.session.tally for stream in self._streams) | {
            "open": sum(1 for stream in self._streams if stream.call is not None),
            "ready": len(self._streams) - len(unready),
            "waits_for": unready[0].session.missing() if unready else "",
            "failures": dict(self.failures),
            "parsed_bytes": self._reader.parsed_bytes,
        }

    async def _keep(self, stream: _Stream, channel: grpc.aio.Channel) -> None:
        """Keep one stream open, as a sidecar does: again after each failure, with backoff."""
        delays = backoff_delays(first_s=0.1, max_s=5.0)
        while True:
            await self._may_open.wait()
            before = stream.session.tally.responses
            ended = await self._hold(stream, channel)
            stream.call = None
            self._touch()
            if not self._may_open.is_set():
                continue  # dropped by us
            self.failures[ended] += 1
            if stream.session.tally.responses > before:
                delays = backoff_delays(first_s=0.1, max_s=5.0)
            await asyncio.sleep(next(delays))

    async def _hold(self, stream: _Stream, channel: grpc.aio.Channel) -> str:
        """One stream from its first request to its end; gives how it ended."""
        metadata = (("authorization", f"Bearer {self._target.token}"),) if self._target.token else ()
        method = channel.stream_stream(_METHODS[self._target.variant], None, None)
        call: Call = method(None, metadata=metadata)
        stream.call = call
        try:
            await self._send(call, stream.session.open())
            while isinstance(data := await call.read(), bytes):
                requests = stream.session.receive(data)
                del data  # a thousand streams at rest would else hold the last large response each
                await self._send(call, requests)
                stream.session.tally.last_ack_at = self._last_activity = time.monotonic()
                if not stream.ready and not stream.session.missing():
                    stream.ready = True
                    self._changed.set()
        except asyncio.CancelledError:
            call.cancel()
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return "dropped"  # grpc.aio raises this too for a call that we cancelled ourselves
        except grpc.aio.AioRpcError as failure:
            return f"{failure.code().name}: {failure.details()}"
        except TimeoutError:
            call.cancel()
            return f"a request could not be written within {_WRITE_S:g} s"
        return f"{(await call.code()).name}: the server ended the stream"

    @staticmethod
    async def _send(call: Call, requests: list[bytes]) -> None:
        async with asyncio.timeout(_WRITE_S):
            for request in requests:
                await call.write(request)

    def _touch(self) -> None:
        self._last_activity = time.monotonic()
        self._changed.set()

    async def _next_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
