"""The web server: HTTP in, HTTP out, watches as chunked lines. Decides nothing that the parts behind it can decide."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

from tests.kit.kube_api.authentication import Authenticator
from tests.kit.kube_api.authorization import Authorizer
from tests.kit.kube_api.call import Call, Reply
from tests.kit.kube_api.callers import ANONYMOUS, User
from tests.kit.kube_api.errors import StatusError
from tests.kit.kube_api.requests import LoggedRequest, RequestLog
from tests.kit.kube_api.routes import Route, parse_route
from tests.kit.kube_api.watching import End, Watch, Watches

__all__ = ["Answer", "Server"]

Answer = Callable[[Call], Awaitable[Reply]]
Before = Callable[[Call], Awaitable[None]]

_BOOKMARK_EVERY_S: Final = 60.0
_MAX_BODY_BYTES: Final = 8 * 1024 * 1024
_HALF: Final = b'{"type":"MODIFIED","object":{"kind":'
"""What a client gets of an object when its connection breaks in the middle of it."""


class Server:
    """Serves on loopback. May be stopped and started again, on the same port."""

    def __init__(
        self,
        answer: Answer,
        before: Before,
        *,
        watches: Watches,
        callers: tuple[Authenticator, Authorizer],
        requests: RequestLog,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._answer = answer
        self._before = before
        self._watches = watches
        self._authenticator, self._authorizer = callers
        self._requests = requests
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen; the first time on a port of the system's choice, if `port` is 0.

        Raises:
            OSError: the port is taken.
        """
        application = web.Application(client_max_size=_MAX_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port and break all connections."""
        if self._runner is None:
            return
        for watch in self._watches:
            watch.end(End.ABORT)
        runner, self._runner = self._runner, None
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        route = parse_route(request.method, request.path, request.query)
        user, reply = ANONYMOUS, Reply()
        try:
            user = self._user(request)
            call = await _call(request, route, user)
            await self._before(call)
            self._authorizer.check(user, route)
            reply = await self._answer(call)
        except StatusError as error:
            self._log(request, route, user, error.code)
            headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else {}
            return _response(error.code, error.encoded(), "application/json", headers)
        self._log(request, route, user, reply.status)
        if reply.watch is not None:
            return await self._stream(request, reply, reply.watch)
        content = msgspec.json.encode(reply.body) if "json" in reply.content_type else reply.data
        return _response(reply.status, content, reply.content_type, {})

    def _user(self, request: web.Request) -> User:
        certificate = request.transport.get_extra_info("peercert") if request.transport else None
        return self._authenticator.authenticate(request.headers, certificate)

    def _log(self, request: web.Request, route: Route, user: User, status: int) -> None:
        self._requests.add(
            LoggedRequest(
                user=user.name,
                verb=route.verb,
                group=route.group,
                resource=route.resource,
                namespace=route.namespace,
                name=route.name,
                path=route.path,
                status=status,
                user_agent=request.headers.get("User-Agent", ""),
            )
        )

    async def _stream(self, request: web.Request, reply: Reply, watch: Watch) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": reply.content_type, "Cache-Control": "no-cache, private"}
        )
        try:
            await response.prepare(request)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(reply.timeout_s):
                    await self._send(request, response, watch)
            with contextlib.suppress(ConnectionError):
                await response.write_eof()
        except ConnectionError:
            pass  # the client left, or we cut it off
        finally:
            self._watches.close(watch)
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse, watch: Watch) -> None:
        while True:
            try:
                async with asyncio.timeout(_BOOKMARK_EVERY_S):
                    first = await watch.lines.get()
            except TimeoutError:
                self._watches.bookmark_one(watch)
                continue
            ready = [first]
            while not watch.lines.empty():
                ready.append(watch.lines.get_nowait())
            ends = [item for item in ready if isinstance(item, End)]
            await response.write(b"".join(item for item in ready if not isinstance(item, End)))
            if ends:
                return await _end(request, response, ends[0])


async def _end(request: web.Request, response: web.StreamResponse, how: End) -> None:
    if how is End.CLEAN or request.transport is None:
        return
    if how is End.MID_OBJECT:
        await response.write(_HALF)
        request.transport.close()  # sends what is buffered, but not the end of the stream
    else:
        request.transport.abort()
    raise ConnectionResetError("cut by the test")


async def _call(request: web.Request, route: Route, user: User) -> Call:
    return Call(
        route=route,
        user=user,
        query=dict(request.query),
        accept=request.headers.get("Accept", ""),
        content_type=request.content_type if request.body_exists else "",
        user_agent=request.headers.get("User-Agent", ""),
        body=await request.read(),
    )


def _response(status: int, content: bytes, content_type: str, headers: dict[str, str]) -> web.Response:
    return web.Response(
        status=status,
        body=content,
        headers={"Content-Type": content_type, "Cache-Control": "no-cache, private", **headers},
    )
