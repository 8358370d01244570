"""Handlers that end their call."""

from __future__ import annotations

from functools import partial
from typing import Any

import grpc
import grpc.aio
import pytest

from discovery.runtime.grpc_abort import abort
from discovery.xds.endpoint import GrpcEndpoint


async def _refuse(after: list[str], _request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
    await abort(context, grpc.StatusCode.PERMISSION_DENIED, "not you")
    after.append("went on")  # type: ignore[unreachable]


async def test_the_handler_ends_with_the_status() -> None:
    """Nothing after it is run, and the caller has the words."""
    after: list[str] = []
    method = grpc.unary_unary_rpc_method_handler(partial(_refuse, after))
    handlers = [grpc.method_handlers_generic_handler("s", {"m": method})]
    async with (
        GrpcEndpoint("test", "127.0.0.1:0", handlers) as endpoint,
        grpc.aio.insecure_channel(f"127.0.0.1:{endpoint.port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary("/s/m", None, None)(b"", timeout=10)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.PERMISSION_DENIED, "not you")
    assert after == []
