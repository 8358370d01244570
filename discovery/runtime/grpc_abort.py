"""Ending a call with a status, for handlers of gRPC servers."""

from __future__ import annotations

from typing import Any, NoReturn

import grpc
import grpc.aio

__all__ = ["abort"]


async def abort(context: grpc.aio.ServicerContext[Any, Any], code: grpc.StatusCode, details: str) -> NoReturn:
    """``context.abort``, with the type that says that it never returns.

    Raises:
        grpc.aio.AbortError: always; it ends the handler.
    """
    await context.abort(code, details)
    raise AssertionError("abort returns never")
