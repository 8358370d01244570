"""A control plane whose every word is spoken by the test: a real gRPC server, scripted stream by stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Self

import grpc
import grpc.aio

from discovery.wire.envoy import DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse

__all__ = ["ADS", "FakeIstiod", "FakeStream", "delta_response", "sotw_response"]

ADS = "envoy.service.discovery.v3.AggregatedDiscoveryService"

_Context = grpc.aio.ServicerContext[bytes, bytes]


class FakeStream:
    """One stream as the control plane sees it."""

    def __init__(self, rpc: str, context: _Context) -> None:
        self.rpc = rpc
        self.metadata: Mapping[str, str] = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        self.closed = asyncio.Event()
        self.requests = 0
        self._context = context
        self._end: asyncio.Future[tuple[grpc.StatusCode, str]] = asyncio.get_running_loop().create_future()

    async def read(self, *, within_s: float = 30) -> DiscoveryRequest | DeltaDiscoveryRequest:
        """The next request, decoded by the generated classes.

        Raises:
            EOFError: the client has ended the stream.
        """
        async with asyncio.timeout(within_s):
            data: object = await self._context.read()
        if not isinstance(data, bytes):
            raise EOFError("the client has ended the stream")
        kind = DeltaDiscoveryRequest if self.rpc.startswith("Delta") else DiscoveryRequest
        self.requests += 1
        return kind.FromString(data)

    async def write(self, response: DiscoveryResponse | DeltaDiscoveryResponse) -> None:
        """Send a response."""
        await self._context.write(response.SerializeToString())

    async def write_bytes(self, response: bytes) -> None:
        """Send what need not even be a response."""
        await self._context.write(response)

    def end(self, code: grpc.StatusCode = grpc.StatusCode.OK, details: str = "") -> None:
        """End the stream with a status."""
        if not self._end.done():
            self._end.set_result((code, details))

    async def serve(self) -> None:
        """Stay until ended by the test or by the client."""
        try:
            code, details = await self._end
        finally:
            self.closed.set()
        if code is not grpc.StatusCode.OK:
            await self._context.abort(code, details)


class FakeIstiod:
    """The server: ``async with FakeIstiod() as istiod``, then ``await istiod.accept()`` for each stream.

    Args:
        credentials: TLS of the server; plaintext without.
        port: 0 for any.
        refuse: with this status instead of serving.
    """

    def __init__(
        self,
        *,
        credentials: grpc.ServerCredentials | None = None,
        port: int = 0,
        refuse: Callable[[Mapping[str, str]], tuple[grpc.StatusCode, str] | None] = lambda _metadata: None,
    ) -> None:
        self._credentials = credentials
        self._port = port
        self._refuse = refuse
        self._streams: asyncio.Queue[FakeStream] = asyncio.Queue()
        self._open: set[FakeStream] = set()
        self._server: grpc.aio.Server | None = None
        self.accepted = 0

    @property
    def port(self) -> int:
        """The bound port."""
        return self._port

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self._port}"

    @property
    def open_streams(self) -> int:
        """How many streams are being served."""
        return len(self._open)

    async def __aenter__(self) -> Self:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        handlers = {
            rpc: grpc.stream_stream_rpc_method_handler(self._handler(rpc))
            for rpc in ("StreamAggregatedResources", "DeltaAggregatedResources")
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(ADS, handlers),))
        address = f"127.0.0.1:{self._port}"
        if self._credentials is None:
            self._port = server.add_insecure_port(address)
        else:
            self._port = server.add_secure_port(address, self._credentials)
        await server.start()
        self._server = server
        return self

    async def __aexit__(self, *_: object) -> None:
        for stream in tuple(self._open):
            stream.end()
        if self._server is not None:
            await self._server.stop(0.1)

    async def accept(self) -> FakeStream:
        """The next stream that a client opened."""
        async with asyncio.timeout(30):  # programs start slowly on a machine that is busy
            return await self._streams.get()

    def _handler(self, rpc: str) -> Callable[[object, _Context], object]:
        async def handle(_requests: object, context: _Context) -> None:
            stream = FakeStream(rpc, context)
            self.accepted += 1
            refusal = self._refuse(stream.metadata)
            if refusal is not None:
                await context.abort(*refusal)
            self._streams.put_nowait(stream)
            with self._counted(stream):
                await stream.serve()

        return handle

    @contextmanager
    def _counted(self, stream: FakeStream) -> Iterator[None]:
        self._open.add(stream)
        try:
            yield
        finally:
            self._open.discard(stream)


def sotw_response(type_url: str, *payloads: bytes, version: str = "v1", nonce: str = "n1") -> DiscoveryResponse:
    """A state-of-the-world response with raw payloads."""
    resources = [{"type_url": type_url, "value": payload} for payload in payloads]
    return DiscoveryResponse(version_info=version, resources=resources, type_url=type_url, nonce=nonce)


def delta_response(type_url: str, *payloads: bytes, version: str = "v1", nonce: str = "n1") -> DeltaDiscoveryResponse:
    """A delta response with raw payloads, named by their position."""
    resources = [
        {"name": str(at), "version": version, "resource": {"type_url": type_url, "value": payload}}
        for at, payload in enumerate(payloads)
    ]
    return DeltaDiscoveryResponse(system_version_info=version, resources=resources, type_url=type_url, nonce=nonce)
