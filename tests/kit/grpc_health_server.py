"""The gRPC health service on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio

from discovery.wire.protowire import fields, uint_field

__all__ = ["health_server"]


@asynccontextmanager
async def health_server(**statuses: int) -> AsyncIterator[int]:
    """The health service on a real gRPC server; the port."""

    async def check(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        service = next((str(value, "utf-8") for _, value in fields(request) if isinstance(value, memoryview)), "")
        if service not in statuses:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return uint_field(1, statuses[service])

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handler = grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)}
    )
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(0)
