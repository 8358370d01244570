"""Leases as an API server keeps them, in memory: versions, conflicts, and trouble on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from discovery.kube.errors import AlreadyExistsError, ConflictError, NotFoundError, UnreachableError

__all__ = ["LeaseServer"]


class LeaseServer:
    """Every candidate takes a `client` of its own, which can be cut off.

    Attributes:
        lease: the one Lease as it is; None: there is none.
        writers: who wrote it, in order.
    """

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.writers: list[str] = []

    def client(self, name: str = "") -> LeaseClient:
        """A connection to the server."""
        return LeaseClient(self, name)

    def store(self, body: bytes, writer: str) -> bytes:
        """Keep a Lease under a new version."""
        lease = msgspec.json.decode(body, type=dict[str, Any])
        self.writers.append(writer)
        lease["metadata"]["resourceVersion"] = str(len(self.writers))
        self.lease = lease
        return msgspec.json.encode(lease)


class LeaseClient:
    """One candidate's connection.

    Attributes:
        cut: nothing comes through, neither there nor back.
        deaf: requests arrive and are carried out, answers do not come.
        hang: set to have requests wait until it is cleared.
    """

    def __init__(self, server: LeaseServer, name: str) -> None:
        self._server = server
        self._name = name
        self.cut = False
        self.deaf = False
        self.open = asyncio.Event()
        self.open.set()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """The Lease."""
        await self._pass()
        if self._server.lease is None:
            raise NotFoundError(f"GET {path}", 404, "NotFound", "no lease")
        return self._heard(msgspec.json.encode(self._server.lease))

    async def create(self, path: str, body: bytes) -> bytes:
        """Make it."""
        await self._pass()
        if self._server.lease is not None:
            raise AlreadyExistsError(f"POST {path}", 409, "AlreadyExists", "there is one")
        return self._heard(self._server.store(body, self._name))

    async def replace(self, path: str, body: bytes) -> bytes:
        """Replace it, if it still has the version of the body."""
        await self._pass()
        if self._server.lease is None:
            raise NotFoundError(f"PUT {path}", 404, "NotFound", "no lease")
        given = msgspec.json.decode(body)["metadata"]["resourceVersion"]
        if given != self._server.lease["metadata"]["resourceVersion"]:
            raise ConflictError(f"PUT {path}", 409, "Conflict", "changed since")
        return self._heard(self._server.store(body, self._name))

    async def _pass(self) -> None:
        await self.open.wait()
        if self.cut:
            raise UnreachableError("cut off")

    def _heard(self, answer: bytes) -> bytes:
        if self.deaf:
            raise UnreachableError("no answer")
        return answer
