"""A watch as a test reads it: one event after the other, each awaited for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec

from tests.kit.kube_api.objects import Json, meta

__all__ = ["WatchEvent", "WatchStream"]

_WITHIN_S = 20.0


class WatchEvent(msgspec.Struct, frozen=True):
    """One line of a watch."""

    type: str
    object: dict[str, Any]

    @property
    def name(self) -> str:
        """Of the object."""
        name: str = meta(self.object).get("name", "")
        return name

    @property
    def version(self) -> int:
        """The object's resource version."""
        return int(meta(self.object)["resourceVersion"])


class WatchStream:
    """Reads the events of an open watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    @property
    def status(self) -> int:
        """The HTTP status; only 200 has events."""
        return self._response.status

    async def refusal(self) -> Json:
        """The body of an answer that is no watch."""
        return msgspec.json.decode(await self._response.read(), type=dict[str, Any])

    async def next(self) -> WatchEvent | None:
        """The next event; None at an orderly end.

        Raises:
            aiohttp.ClientError: the connection was cut.
            TimeoutError: nothing comes.
        """
        async with asyncio.timeout(_WITHIN_S):
            line = await self._response.content.readline()
        if not line:
            return None
        return msgspec.json.decode(line, type=WatchEvent)

    async def take(self, count: int) -> list[tuple[str, str]]:
        """(type, name) of the next events.

        Raises:
            AssertionError: the watch ends before.
        """
        taken: list[tuple[str, str]] = []
        for _ in range(count):
            event = await self.next()
            assert event is not None, f"the watch ended after {taken}"
            taken.append((event.type, event.name))
        return taken

    async def until(self, wanted: Callable[[WatchEvent], bool]) -> WatchEvent:
        """The first event from here that is wanted.

        Raises:
            AssertionError: the watch ends before.
        """
        while (event := await self.next()) is not None:
            if wanted(event):
                return event
        raise AssertionError("the watch ended")

    async def rest(self) -> list[WatchEvent]:
        """All events until the orderly end."""
        events = []
        while (event := await self.next()) is not None:
            events.append(event)
        return events
