"""Applications behind and before sidecars: HTTP servers that tests script, and requests through a listener."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from discovery.runtime.http import HttpServer, Request, Response
from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from tests.kit.live import beside

__all__ = ["Backend", "Steady", "call", "serving_backend"]

_PACE_S = 0.005  # the programs under test need the processor too


class Backend:
    """An application: answers with its name, and remembers what it was asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.asked: list[Request] = []
        self.answer: Callable[[Request], Awaitable[Response]] = self._say_name
        self._news = asyncio.Event()

    async def _say_name(self, request: Request) -> Response:
        return Response(body=self.name.encode())

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        self.asked.append(request)
        self._news.set()
        return await self.answer(request)

    async def asked_times(self, count: int) -> None:
        """Return once it was asked so often."""
        async with asyncio.timeout(20):
            while len(self.asked) < count:
                self._news.clear()
                await self._news.wait()

    def fail(self, *statuses: int) -> None:
        """Answer the next requests with these statuses, and those after as usual."""
        left = list(statuses)

        async def answer(request: Request) -> Response:
            return Response(status=left.pop(0)) if left else await self._say_name(request)

        self.answer = answer

    def delay(self, seconds: float) -> None:
        """Answer after so long from now on."""

        async def answer(request: Request) -> Response:
            await asyncio.sleep(seconds)
            return await self._say_name(request)

        self.answer = answer

    def hang(self) -> None:
        """Answer no request from now on."""

        async def answer(_request: Request) -> Response:
            await asyncio.get_running_loop().create_future()
            raise AssertionError("unreachable")

        self.answer = answer


@asynccontextmanager
async def serving_backend(name: str, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Backend]:
    """Run an application on a free port."""
    backend = Backend(name)
    async with HttpServer(name, backend.handle, host=host, port=port) as server, beside(server.run()):
        backend.port = server.port
        yield backend


async def call(
    address: tuple[str, int],
    path: str = "/",
    *,
    host: str,
    headers: tuple[tuple[str, str], ...] = (),
    method: str = "GET",
) -> Response:
    """One request to a listener, on a connection of its own."""
    return await fetch(TcpTarget(*address, authority=host), path, method=method, headers=headers, timeout_s=20)


class Steady:
    """Requests one after the other while other things happen; run it beside them, then look at ``failed``."""

    def __init__(self, address: tuple[str, int], *, host: str) -> None:
        self._address = address
        self._host = host
        self.done = 0
        self.failed: list[str] = []
        self._news = asyncio.Event()

    async def more(self, count: int) -> None:
        """Return when so many more were answered."""
        wanted = self.done + count
        async with asyncio.timeout(30):
            while self.done < wanted:
                self._news.clear()
                await self._news.wait()

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            try:
                response = await call(self._address, host=self._host)
                if response.status != 200:
                    self.failed.append(f"{response.status} {response.body[:200]!r}")
            except HttpClientError as error:
                self.failed.append(str(error))
            self.done += 1
            self._news.set()
            await asyncio.sleep(_PACE_S)
