"""Follows one collection of an API server: makes the requests that ``Reflection`` decides on, hands on what comes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from discovery.kube.envelope import Event, EventType, Item, read_event, read_page
from discovery.kube.errors import KubeError
from discovery.kube.reflection import Ask, Mode, Reflection
from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger

__all__ = ["Reader", "Reflector", "ReflectorCounts", "Sink"]

Sleep = Callable[[float], Awaitable[None]]


class Reader(Protocol):
    """What a reflector needs of a client."""

    async def get(self, path: str, query: Mapping[str, str] = ...) -> bytes:
        """A list."""

    def watch(self, path: str, query: Mapping[str, str]) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """A watch."""


class Sink(Protocol):
    """Where a reflector puts what it reads. All calls are synchronous, in the reflector's turn."""

    def begin(self) -> None:
        """All objects follow; what does not is gone. A look that was begun before counts no more."""

    def items(self, items: Sequence[Item]) -> None:
        """Some of all objects."""

    def end(self) -> None:
        """These were all."""

    def event(self, event: Event) -> None:
        """A change after that."""


class ReflectorCounts:
    """What a reflector did, for metrics and tests."""

    def __init__(self) -> None:
        self.lists = 0  # looks at everything that were begun
        self.watches = 0  # watches that were opened, streams included
        self.events = 0  # bookmarks not included
        self.failures = 0


class Reflector:
    """Keeps a sink level with a collection.

    Args:
        client: asks the API server.
        path: of the collection.
        query: selectors that belong to every request.
        sink: gets the objects.
        reflection: decides.
        clock: for instants.
        sleep: waits in seconds.
    """

    def __init__(  # noqa: PLR0913 - its parts, all of them made by the informer
        self,
        client: Reader,
        path: str,
        query: Mapping[str, str],
        sink: Sink,
        *,
        clock: Clock,
        reflection: Reflection | None = None,
        chance: Callable[[], float] = random.random,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.counts = ReflectorCounts()
        self.problem = ""  # why it does not hear of changes now; empty while it does
        self._client = client
        self._path = path
        self._query = dict(query)
        self._sink = sink
        self._reflection = reflection or Reflection(chance=chance)
        self._clock = clock
        self._sleep = sleep
        self._on_failure: Callable[[KubeError], None] = lambda _: None
        self._turn: asyncio.Timeout | None = None  # the request that is under way
        self._again = False
        self._log = get_logger("kube")

    @property
    def version(self) -> str:
        """The resourceVersion up to which everything is known."""
        return self._reflection.version

    def on_failure(self, call: Callable[[KubeError], None]) -> None:
        """Have each failure told too."""
        self._on_failure = call

    def look_again(self) -> None:
        """Give up the request that is under way, and look at everything."""
        self._again = True
        if self._turn is not None and not self._turn.expired():
            self._turn.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Follow until cancelled; whatever the API server does, it is asked again."""
        while True:
            if self._again:
                self._again = False
                self._reflection.forget()
            ask = self._reflection.next()
            delay_s = 0.0
            try:
                delay_s = await self._request(ask)
            except KubeError as error:
                delay_s = self._reflection.failed(error)
                self._failed(error, delay_s)
            except TimeoutError:
                if not self._again:
                    raise
            await self._sleep(delay_s)

    async def _request(self, ask: Ask) -> float:
        if ask.starts:
            self.counts.lists += 1
            self._sink.begin()
        try:
            async with asyncio.timeout(None) as self._turn:
                return await (self._list(ask) if ask.mode is Mode.LIST else self._watch(ask))
        finally:
            self._turn = None

    async def _list(self, ask: Ask) -> float:
        asked = f"LIST {self._path}"
        page = read_page(asked, await self._client.get(self._path, {**self._query, **ask.query}))
        self._worked()
        self._sink.items(page.items)
        if self._reflection.listed(page.resource_version, page.more):
            self._sink.end()
        return 0.0

    async def _watch(self, ask: Ask) -> float:
        asked = f"WATCH {self._path}"
        opened_at = self._clock.monotonic()
        events = 0
        initial = ask.mode is Mode.STREAM
        async with self._client.watch(self._path, {**self._query, **ask.query}) as lines:
            self.counts.watches += 1
            self._worked()
            async for line in lines:
                event = read_event(asked, line)
                events += 1
                self._reflection.seen(event.item.meta.resource_version)
                if event.type is not EventType.BOOKMARK:
                    self.counts.events += 1
                    if initial and event.type is EventType.ADDED:
                        self._sink.items((event.item,))
                    else:
                        self._sink.event(event)
                elif initial and event.ends_initial:
                    initial = False
                    self._reflection.streamed(event.item.meta.resource_version)
                    self._sink.end()
        return self._reflection.ended(lasted_s=self._clock.monotonic() - opened_at, events=events)

    def _worked(self) -> None:
        if self.problem:
            self._log.info("API server answers again", path=self._path)
        self.problem = ""

    def _failed(self, error: KubeError, delay_s: float) -> None:
        self.counts.failures += 1
        # An outage is told once; a watch that only has to be resumed is daily business.
        told = self._log.warning if not self.problem and delay_s > 0 else self._log.debug
        told("API server does not answer as it should", path=self._path, again_s=round(delay_s, 3), reason=str(error))
        if delay_s > 0:
            self.problem = str(error)
        self._on_failure(error)
