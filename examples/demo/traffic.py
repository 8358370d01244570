"""Requests as the client workload sends them, and what their answers show."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from examples.demo.errors import DemoError
from examples.demo.layout import MESH_PORT, SERVICE_PORT, Workload

__all__ = ["Hop", "Move", "Traffic", "refusal_of_plaintext"]

_TIMEOUT_S: Final = 10.0
_AT_ONCE: Final = 4


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """What one application says of itself, of who called it, and of the calls that it made."""

    name: str
    version: str = ""
    caller: str = ""
    calls: tuple[Hop, ...] = ()
    error: str = ""

    def walk(self) -> Iterator[Hop]:
        """This hop and all below it."""
        yield self
        for call in self.calls:
            yield from call.walk()

    def find(self, name: str) -> Hop | None:
        """The first hop of that name."""
        return next((hop for hop in self.walk() if hop.name == name), None)


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """How traffic moved after an edit.

    Attributes:
        last_old_s: when the last request was sent that an old version answered, in seconds after the edit.
        requests: how many were sent until it was certain.
        settled: whether all of the requests since then went to the new version, and enough of them.
    """

    last_old_s: float
    requests: int
    settled: bool


class Traffic:
    """Sends requests from the client workload: to its own sidecar, with the service's name as ``Host``."""

    def __init__(self, client: Workload) -> None:
        self._target = TcpTarget(client.address, SERVICE_PORT, f"productpage:{SERVICE_PORT}")

    async def ask(self, user: str = "") -> Hop:
        """One request for the product page; a failure is a hop with ``error``."""
        headers = (("end-user", user),) if user else ()
        try:
            answer = await fetch(self._target, "/", headers=headers, timeout_s=_TIMEOUT_S)
        except HttpClientError as error:
            return Hop(name="productpage", error=str(error))
        try:
            return msgspec.json.decode(answer.body, type=Hop)
        except msgspec.DecodeError:
            text = answer.body[:200].decode(errors="replace").strip()
            return Hop(name="productpage", error=f"{answer.status} {text}")

    async def count_versions(self, service: str, requests: int) -> Counter[str]:
        """How often each version of a service answered; answers without one count as ``error: ...``."""
        counted: Counter[str] = Counter()
        left = iter(range(requests))

        async def send() -> None:
            for _ in left:
                counted[version_of(await self.ask(), service)] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(send())
        return counted

    async def watch_move(self, service: str, to: str, *, edited_at: float, certain: int, deadline_s: float) -> Move:
        """Send requests until ``certain`` of them in a row went to one version; ``edited_at`` by the loop's clock."""
        now = asyncio.get_running_loop().time
        last_old_at, sent, in_a_row = edited_at, 0, 0

        async def send() -> None:
            nonlocal last_old_at, sent, in_a_row
            while in_a_row < certain and now() - edited_at < deadline_s:
                sent_at = now()
                sent += 1
                if version_of(await self.ask(), service) == to:
                    in_a_row += 1
                else:
                    last_old_at, in_a_row = max(last_old_at, sent_at), 0

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(send())
        return Move(last_old_s=last_old_at - edited_at, requests=sent, settled=in_a_row >= certain)


def version_of(answer: Hop, service: str) -> str:
    """Which version of a service is in an answer; what went wrong if none."""
    errors = [hop.error for hop in answer.walk() if hop.error]
    if errors:
        return f"error: {errors[0]}"
    hop = answer.find(service)
    return hop.version if hop is not None else f"error: {service} was not asked"


async def refusal_of_plaintext(workload: Workload) -> str:
    """How a workload's port for the mesh ends a plaintext request; empty if it answered instead.

    Raises:
        DemoError: nobody listens there, which is no refusal.
    """
    try:
        reader, writer = await asyncio.open_connection(workload.address, MESH_PORT)
    except OSError as error:
        raise DemoError(f"{workload.name}: nobody listens at {workload.address}:{MESH_PORT}: {error}") from error
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: reviews\r\n\r\n")
        async with asyncio.timeout(_TIMEOUT_S):
            answer: bytes = await reader.read(200)
    except ConnectionResetError:
        return "connection reset"
    finally:
        writer.close()
    return "" if answer else "connection closed"
