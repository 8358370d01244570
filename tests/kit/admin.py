"""An Envoy administration interface that says what a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from discovery.runtime.http import HttpServer, Request, Response
from discovery.runtime.http_client import TcpTarget

__all__ = ["ScriptedAdmin", "serving"]


class ScriptedAdmin:
    """Answers by path, remembers what it was asked."""

    def __init__(self, **answers: Response) -> None:
        self.answers = {f"/{path}": answer for path, answer in answers.items()}
        self.asked: list[Request] = []
        self._news = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        """The answer for the path, 404 for others."""
        self.asked.append(request)
        self._news.set()
        return self.answers.get(request.path, Response(status=404))

    async def asked_times(self, path: str, count: int) -> None:
        """Return once the path was asked for so many times."""
        while len([request for request in self.asked if request.path == path]) < count:
            self._news.clear()
            await self._news.wait()


@asynccontextmanager
async def serving(handler: ScriptedAdmin) -> AsyncIterator[TcpTarget]:
    """Run it on a free port."""
    async with HttpServer("admin", handler, host="127.0.0.1") as server, asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        yield TcpTarget("127.0.0.1", server.port)
        task.cancel()
