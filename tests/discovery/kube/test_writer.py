from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest

from discovery.kube.client import PatchKind
from discovery.kube.lease import Fence, NotLeadingError
from discovery.kube.writer import FencedWriter
from tests.kit.fake_clock import FakeClock

_WRITES: dict[str, Callable[[FencedWriter], Awaitable[bytes]]] = {
    "create": lambda writer: writer.create("/p", b"x"),
    "replace": lambda writer: writer.replace("/p", b"x"),
    "patch": lambda writer: writer.patch("/p", b"x", PatchKind.MERGE, {"a": "b"}),
    "delete": lambda writer: writer.delete("/p", b"x"),
}


class _Client:
    """Writes down what it is asked; with `hang` it never answers."""

    def __init__(self, *, hang: bool = False) -> None:
        self.asked: list[tuple[object, ...]] = []
        self._hang = hang

    async def _ask(self, *what: object) -> bytes:
        self.asked.append(what)
        if self._hang:
            await asyncio.Event().wait()
        return b"done"

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        return await self._ask("get", path)

    async def create(self, path: str, body: bytes) -> bytes:
        return await self._ask("create", path, body)

    async def replace(self, path: str, body: bytes) -> bytes:
        return await self._ask("replace", path, body)

    async def patch(self, path: str, body: bytes, kind: PatchKind, query: Mapping[str, str] | None = None) -> bytes:
        return await self._ask("patch", path, body, kind, query)

    async def delete(self, path: str, body: bytes = b"") -> bytes:
        return await self._ask("delete", path, body)


def make_fence(clock: FakeClock, seconds: float) -> Fence:
    fence = Fence(clock)
    fence.extend(clock.monotonic() + seconds)
    return fence


@pytest.mark.parametrize("verb", sorted(_WRITES))
async def test_writes_pass_while_leading(verb: str) -> None:
    """They reach the client as they are."""
    client = _Client()
    assert await _WRITES[verb](FencedWriter(client, make_fence(FakeClock(), 5))) == b"done"
    assert client.asked[0][:3] == (verb, "/p", b"x")


@pytest.mark.parametrize("verb", sorted(_WRITES))
async def test_no_write_begins_after_the_term(verb: str) -> None:
    """A former leader sends nothing at all; reading harms nobody."""
    clock, client = FakeClock(), _Client()
    writer = FencedWriter(client, make_fence(clock, 5))
    clock.advance(5)
    with pytest.raises(NotLeadingError):
        await _WRITES[verb](writer)
    assert client.asked == []
    assert await writer.get("/p") == b"done"


@pytest.mark.parametrize("verb", sorted(_WRITES))
async def test_write_under_way_ends_with_the_term(verb: str) -> None:
    """It is broken off, so that it cannot arrive when another leads."""
    with pytest.raises(NotLeadingError):
        await _WRITES[verb](FencedWriter(_Client(hang=True), make_fence(FakeClock(), 0.01)))
