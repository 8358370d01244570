"""A gRPC stream context without gRPC: queues instead of a transport, and writes that can be held up."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn, cast

from discovery.xds.connection import Context

__all__ = ["Aborted", "FakeContext"]


class Aborted(Exception):  # noqa: N818 - it is what happened, not what went wrong
    """The stream was ended with a status."""

    def __init__(self, code: Any, details: str) -> None:
        super().__init__(f"{code}: {details}")
        self.code = code


class FakeContext:
    """Reads what the test puts in; what is written comes out of ``written``."""

    def __init__(self, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self.requests: asyncio.Queue[object] = asyncio.Queue()
        self.written: asyncio.Queue[bytes] = asyncio.Queue()
        self.open = asyncio.Event()
        self.open.set()
        self._metadata = metadata

    @property
    def context(self) -> Context:
        """As its type has it."""
        return cast("Context", self)

    def hang_up(self) -> None:
        """The client has nothing more to say."""
        self.requests.put_nowait(None)  # as gRPC, which gives a value that is no bytes

    async def read(self) -> object:
        """The next request."""
        return await self.requests.get()

    async def write(self, data: bytes) -> None:
        """Take a response, when the transport is open."""
        await self.open.wait()
        self.written.put_nowait(data)

    def peer(self) -> str:
        """An address."""
        return "ipv4:127.0.0.1:1"

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """Metadata of the call."""
        return self._metadata

    async def abort(self, code: Any, details: str = "") -> NoReturn:
        """End the stream."""
        raise Aborted(code, details)
