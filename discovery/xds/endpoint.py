"""A gRPC server at one address, as a service: binds, serves the handlers it is given, drains at the end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import grpc
import grpc.aio
import msgspec

from discovery.auth.xfcc import METADATA_OPTIONS

__all__ = ["GrpcEndpoint", "GrpcSettings"]

_RECEIVE_BYTES: Final = 4 << 20
_STREAMS: Final = 100_000
_AHEAD_BYTES: Final = 16 << 10


class GrpcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What may be set of a gRPC server."""

    keepalive_s: float = 30.0
    keepalive_timeout_s: float = 10.0
    max_connection_age_s: float = 0.0  # 0: connections may last for ever
    drain_s: float = 10.0  # how long open streams may take to end at shutdown

    def options(self) -> list[tuple[str, int]]:
        """As gRPC takes them."""
        options = [
            ("grpc.so_reuseport", 0),  # a second process on our port is a mistake, not a partner
            ("grpc.max_receive_message_length", _RECEIVE_BYTES),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_concurrent_streams", _STREAMS),
            *METADATA_OPTIONS,
            # A message that is being read gets all the room it needs. What a client sends ahead of that would only wait
            # here; by default it is 64 KB per stream, and gRPC's probes of the connection soon make it more.
            ("grpc.http2.lookahead_bytes", _AHEAD_BYTES),
            ("grpc.http2.bdp_probe", 0),
            ("grpc.keepalive_time_ms", round(self.keepalive_s * 1000)),
            ("grpc.keepalive_timeout_ms", round(self.keepalive_timeout_s * 1000)),
            ("grpc.keepalive_permit_without_calls", 1),
            # Envoy and agents ping too; without these they would be sent away for it.
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 5000),
            ("grpc.http2.max_pings_without_data", 0),
        ]
        if self.max_connection_age_s > 0:
            options.append(("grpc.max_connection_age_ms", round(self.max_connection_age_s * 1000)))
            options.append(("grpc.max_connection_age_grace_ms", round(self.drain_s * 1000)))
        return options


class GrpcEndpoint:
    """Serves handlers at ``host:port`` or, behind our own Envoy, at a Unix socket that only we may open.

    Args:
        name: what it is called in logs.
        address: ``host:port`` (port 0: chosen by the system), or ``unix:<path>``.
        handlers: the services.
        settings: see there.
    """

    def __init__(
        self,
        name: str,
        address: str,
        handlers: Sequence[grpc.GenericRpcHandler[bytes, bytes]],
        settings: GrpcSettings | None = None,
    ) -> None:
        self.name = name
        self._address = address
        self._handlers = tuple(handlers)
        self._settings = settings or GrpcSettings()
        self._server: grpc.aio.Server | None = None
        self.port = 0  # real, once bound; 0 for a Unix socket

    async def __aenter__(self) -> Self:
        """Bind.

        Raises:
            OSError: the address is taken or not ours.
        """
        server = grpc.aio.server(options=self._settings.options())
        server.add_generic_rpc_handlers(self._handlers)
        try:
            port = _bind(server, self._address)
        except RuntimeError as error:
            raise OSError(f"{self.name}: cannot listen at {self._address}: {error}") from error
        if self._address.startswith("unix:"):
            self.port = 0
        else:
            self.port = port
        await server.start()
        self._server = server
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drain: no new streams, the open ones are ended after the time of grace."""
        if self._server is not None:
            await self._server.stop(self._settings.drain_s)
            self._server = None
        if self._address.startswith("unix:"):
            _remove(self._address.removeprefix("unix:"))

    async def run(self) -> None:
        """Serve until cancelled; gRPC does it by itself."""
        await asyncio.Event().wait()


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)


def _bind(server: grpc.aio.Server, address: str) -> int:
    if not address.startswith("unix:"):
        return server.add_insecure_port(address)
    # The socket must never be open to others, not even for a moment; binding is synchronous.
    before = os.umask(0o177)
    try:
        return server.add_insecure_port(address)
    finally:
        os.umask(before)
