"""Load at a fixed rate through a sidecar: requests leave whatever became of those before, and each failure is kept."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from discovery.runtime.http import Response
from discovery.runtime.http_client import HttpClientError
from tests.kit.live_backend import call

__all__ = ["Failure", "Load"]

_WITHIN_S: Final = 60


class Failure(NamedTuple):
    """One request that did not end well, and the number of requests that had been sent before it."""

    number: int
    reason: str


class Load:
    """``rate`` requests a second, each on a connection of its own; run it beside what happens, then look."""

    def __init__(self, address: tuple[str, int], *, host: str, rate: int) -> None:
        self._address = address
        self._host = host
        self._pause_s = 1 / rate
        self.sent = 0
        self.done = 0
        self.by_answer: dict[str, int] = {}
        self.failures: list[Failure] = []
        self._news = asyncio.Event()

    @property
    def open(self) -> int:
        """Requests under way."""
        return self.sent - self.done

    async def more(self, count: int) -> None:
        """Return when so many more have ended."""
        wanted = self.done + count
        async with asyncio.timeout(_WITHIN_S):
            while self.done < wanted:
                self._news.clear()
                await self._news.wait()

    async def once(self) -> Response:
        """One request, as all of them are."""
        return await call(self._address, host=self._host)

    async def run(self) -> None:
        """Go on until cancelled."""
        loop = asyncio.get_running_loop()
        due_at = loop.time()
        async with asyncio.TaskGroup() as group:
            while True:
                due_at += self._pause_s
                await asyncio.sleep(max(0, due_at - loop.time()))
                group.create_task(self._one(self.sent))
                self.sent += 1

    async def _one(self, number: int) -> None:
        try:
            response = await self.once()
            if response.status == 200:
                answer = response.body.decode()
                self.by_answer[answer] = self.by_answer.get(answer, 0) + 1
            else:
                self.failures.append(Failure(number, f"{response.status} {response.body[:200].decode()}"))
        except HttpClientError as error:
            self.failures.append(Failure(number, str(error)))
        self.done += 1
        self._news.set()
