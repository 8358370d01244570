"""One stream to the control plane, over a connection of its own, as bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import grpc.aio

from agent.x509.client import X509
from agent.xds_proxy.dial import DialError, UpstreamOptions, call_metadata, open_channel
from agent.xds_proxy.ends import End, Side
from agent.xds_proxy.messages import ADS_SERVICE, Form

__all__ = ["EndOfStream", "UpstreamStream", "open_stream"]


class EndOfStream(Exception):  # noqa: N818  # an outcome, as StopAsyncIteration is
    """The stream to the control plane is over; ``end`` says how."""

    def __init__(self, end: End) -> None:
        super().__init__(end)
        self.end = end


class UpstreamStream:
    """A connected stream. One task may read while others, one at a time, write."""

    def __init__(self, call: grpc.aio.StreamStreamCall[bytes, bytes]) -> None:
        self._call = call
        self._answered = False

    async def read(self) -> bytes:
        """The next response.

        Raises:
            EndOfStream: there is none any more.
        """
        try:
            data = await self._call.read()
        except grpc.aio.AioRpcError:
            raise await self._ended() from None
        if not isinstance(data, bytes):  # grpc.aio.EOF
            raise await self._ended()
        self._answered = True
        return data

    async def write(self, request: bytes) -> None:
        """Send a request; waits while the control plane takes none.

        Raises:
            EndOfStream: the stream ended before.
        """
        try:
            await self._call.write(request)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            raise await self._ended() from None

    async def _ended(self) -> EndOfStream:
        code, details = await self._call.code(), await self._call.details()
        return EndOfStream(End(side=Side.ISTIOD, code=code.name, details=details or "", answered=self._answered))


@asynccontextmanager
async def open_stream(
    options: UpstreamOptions, form: Form, *, x509: X509, now: Callable[[], datetime]
) -> AsyncIterator[UpstreamStream]:
    """Connect and open the stream of ``form``; both are closed on leaving.

    Raises:
        EndOfStream: it could not be opened; ``end.connected`` is then false.
    """
    try:
        channel = await open_channel(options, x509=x509, now=now)
    except DialError as error:
        raise EndOfStream(_unconnected("UNAVAILABLE", str(error))) from error
    try:
        call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(
            f"/{ADS_SERVICE}/{form.rpc}", request_serializer=None, response_deserializer=None
        )(None, metadata=call_metadata(options))
        await _connect(call, options)
        yield UpstreamStream(call)
    finally:
        await channel.close(None)


async def _connect(call: grpc.aio.StreamStreamCall[bytes, bytes], options: UpstreamOptions) -> None:
    try:
        async with asyncio.timeout(options.connect_timeout_s):
            await call.wait_for_connection()
    except TimeoutError:
        details = f"no connection to {options.address} within {options.connect_timeout_s:g} s"
        raise EndOfStream(_unconnected("UNAVAILABLE", details)) from None
    except grpc.aio.AioRpcError as error:
        raise EndOfStream(_unconnected(error.code().name, error.details() or "")) from None


def _unconnected(code: str, details: str) -> End:
    return End(side=Side.ISTIOD, code=code, details=details, connected=False)
