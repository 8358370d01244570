"""Writes of the leader: each checks the fence first, and none outlasts it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Final, Protocol

from discovery.kube.client import PatchKind
from discovery.kube.lease import Fence

__all__ = ["FIELD_MANAGER", "FencedWriter", "ReadWriteClient", "WriteClient"]

FIELD_MANAGER: Final = "pilot-discovery"
"""Who owns the fields that we apply or patch, as the API server keeps account of it."""

_NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})


class WriteClient(Protocol):
    """The requests of a writer; `KubeClient` is one."""

    async def get(self, path: str, query: Mapping[str, str] = ...) -> bytes:
        """An object."""

    async def create(self, path: str, body: bytes) -> bytes:
        """POST."""

    async def replace(self, path: str, body: bytes) -> bytes:
        """PUT."""

    async def patch(self, path: str, body: bytes, kind: PatchKind, query: Mapping[str, str] = ...) -> bytes:
        """PATCH."""

    async def delete(self, path: str, body: bytes = ...) -> bytes:
        """DELETE."""


class ReadWriteClient(WriteClient, Protocol):
    """The requests of a controller, which follows what it writes; `KubeClient` is one."""

    def watch(self, path: str, query: Mapping[str, str]) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Events."""


class FencedWriter:
    """A client for one term of leadership. Reads go through; writes raise `NotLeadingError` once the term is over.

    Every method raises what the client raises besides.
    """

    def __init__(self, client: WriteClient, fence: Fence) -> None:
        self._client = client
        self.fence = fence

    async def get(self, path: str, query: Mapping[str, str] = _NO_QUERY) -> bytes:
        """An object, or a list."""
        return await self._client.get(path, query)

    async def create(self, path: str, body: bytes) -> bytes:
        """POST an object to its collection."""
        async with self.fence.writing():
            return await self._client.create(path, body)

    async def replace(self, path: str, body: bytes) -> bytes:
        """PUT a whole object."""
        async with self.fence.writing():
            return await self._client.replace(path, body)

    async def patch(self, path: str, body: bytes, kind: PatchKind, query: Mapping[str, str] = _NO_QUERY) -> bytes:
        """Change parts of an object."""
        async with self.fence.writing():
            return await self._client.patch(path, body, kind, query)

    async def delete(self, path: str, body: bytes = b"") -> bytes:
        """Delete an object."""
        async with self.fence.writing():
            return await self._client.delete(path, body)
