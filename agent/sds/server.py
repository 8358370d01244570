"""The SDS server on a Unix socket: Envoy's streams on one side, the owner of the secrets on the other.

Only ``StreamSecrets`` is served; gRPC answers the service's other methods with UNIMPLEMENTED.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import grpc
import grpc.aio
import msgspec

from agent.sds.errors import SecretError
from agent.sds.names import SecretSource, is_known
from agent.sds.resources import KeyProvider, encode_response, encode_secret
from agent.sds.secrets import Secrets
from agent.sds.stream import RequestError, SecretStream, Verdict, parse_request
from agent.xds_proxy.unix_socket import bind_socket
from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger
from discovery.runtime.race import first_of

__all__ = ["SdsServer", "SdsServerOptions"]

SERVICE: Final = "envoy.service.secret.v3.SecretDiscoveryService"

_STOP_S: Final = 1.0

log = get_logger("sds")

_Context = grpc.aio.ServicerContext[bytes, bytes]


class SdsServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How secrets are served.

    Attributes:
        socket: path of the Unix socket, at most 107 bytes long.
        crl: revocation list that goes with roots if the file exists; empty for none.
        provider: who signs with the keys in place of Envoy.
        max_streams: concurrent streams on one connection.
    """

    socket: Path
    crl: str = ""
    provider: KeyProvider | None = None
    max_streams: int = 100_000


class _End(msgspec.Struct, frozen=True):
    """How a stream ended; ``code`` is None for a regular end."""

    code: grpc.StatusCode | None = None
    details: str = ""


class SdsServer:
    """SDS as a service of the agent (``discovery.runtime.supervise.Service``)."""

    name = "sds"

    def __init__(
        self,
        options: SdsServerOptions,
        secrets: Secrets,
        *,
        clock: Clock,
        new_nonce: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._options = options
        self._secrets = secrets
        self._clock = clock
        self._new_nonce = new_nonce
        self._sent = 0
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> Self:
        """Bind the socket.

        Raises:
            SocketError: it cannot be bound.
        """
        server = grpc.aio.server(
            options=[("grpc.max_concurrent_streams", self._options.max_streams), ("grpc.so_reuseport", 0)]
        )
        handlers = {"StreamSecrets": grpc.stream_stream_rpc_method_handler(self._stream_secrets)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        bind_socket(server, self._options.socket, directory_mode=0o700)
        await server.start()
        self._server = server
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all streams and remove the socket."""
        if self._server is not None:
            await self._server.stop(_STOP_S)
        self._options.socket.unlink(missing_ok=True)

    async def run(self) -> None:
        """Serve until cancelled."""
        # not wait_for_termination(): cancelled, it cancels gRPC's own future, and stop() then fails on that
        await asyncio.Event().wait()

    async def _stream_secrets(self, _requests: object, context: _Context) -> None:
        session = _Session(self, context)
        with self._secrets.subscribed(session.on_update):
            end = await first_of(session.take_requests(), session.send_secrets())
        if end.code is not None:
            await context.abort(end.code, end.details)

    async def encode(self, name: str, source: SecretSource) -> bytes:
        """The encoded secret of this name. Raises: SecretError."""
        value = await self._secrets.get(source)
        return encode_secret(name, value, provider=self._options.provider, crl=self._present_crl())

    def _present_crl(self) -> str:
        return self._options.crl if self._options.crl and Path(self._options.crl).exists() else ""

    def next_version(self) -> tuple[str, str]:
        """Version and nonce of the next response."""
        self._sent += 1
        return f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ}/{self._sent}", self._new_nonce()


class _Session:
    """One stream: a task that takes requests, a task that sends what is due."""

    def __init__(self, server: SdsServer, context: _Context) -> None:
        self._server = server
        self._context = context
        self._stream = SecretStream()
        self._due = asyncio.Event()

    def on_update(self, source: SecretSource) -> None:
        """A source has a new value."""
        self._stream.on_update(source)
        if self._stream.due:
            self._due.set()

    async def take_requests(self) -> _End:
        """Take requests until Envoy ends the stream or breaks the protocol."""
        while True:
            try:
                data: object = await self._context.read()
            except grpc.aio.BaseError:
                return _End()
            if not isinstance(data, bytes):  # grpc.aio.EOF
                return _End()
            try:
                request = parse_request(data)
                verdict = self._stream.on_request(request)
            except RequestError as refusal:
                return _End(grpc.StatusCode.INVALID_ARGUMENT, str(refusal))
            if verdict is Verdict.NACK:
                log.warning("Envoy rejected secrets", names=request.names, reason=request.error)
            if self._stream.due:
                self._due.set()

    async def send_secrets(self) -> _End:
        """Send what is due until a secret cannot be had."""
        while True:
            await self._due.wait()
            self._due.clear()
            wanted = self._stream.take_due()
            encoded = []
            for name, source in wanted:
                if not is_known(name):
                    log.warning("unknown secret name; serving the workload's certificate", name=name)
                try:
                    encoded.append(await self._server.encode(name, source))
                except SecretError as error:
                    details = f"failed to generate secret for {name}: {error}"
                    log.warning("secret cannot be served", name=name, reason=str(error))
                    return _End(grpc.StatusCode.UNAVAILABLE, details)
            if encoded and not await self._send(encoded):
                return _End()

    async def _send(self, encoded: list[bytes]) -> bool:
        version, nonce = self._server.next_version()
        self._stream.on_sent(nonce)  # first: the acknowledgement may come before the write returns
        try:
            await self._context.write(encode_response(encoded, version=version, nonce=nonce))
        except grpc.aio.BaseError:
            return False  # Envoy is gone
        return True
