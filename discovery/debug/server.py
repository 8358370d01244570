"""The HTTP side: readiness, metrics, version, and the debug endpoints, on as many addresses as are configured."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from importlib.metadata import version as distribution_version
from importlib.resources import files
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web
from aiohttp.typedefs import Handler

from discovery.auth.caller import Caller, Credentials, Listener
from discovery.auth.errors import UnauthenticatedError, UndecidedError
from discovery.debug.access import Access, judge_access, may_see
from discovery.debug.handlers import DebugContent, DebugHandlers, Question, QuestionError
from discovery.debug.json_stream import Living, batch, render_json
from discovery.runtime.logs import get_logger
from discovery.runtime.metrics import CONTENT_TYPE, render_metrics

__all__ = ["DebugContent", "HttpEndpoint", "build_application"]

_BATCH_BYTES: Final = 64 << 10
_TURN_S: Final = 0.005  # how long the event loop may be kept by one answer at a time
_SEND_S: Final = 60.0

# The page loads nothing from elsewhere, runs no inline code, and nobody may frame it.
_PAGE_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
_PAGE_FILES: Final = {"index.html": "text/html", "app.js": "text/javascript", "style.css": "text/css"}


class _Debug:
    """Who may ask, then the answer in pieces."""

    def __init__(self, content: DebugContent) -> None:
        self._content = content
        self._handlers = DebugHandlers(content)
        self._turn = asyncio.Lock()  # one answer is rendered at a time: threads would only fight for the interpreter
        self._log = get_logger("debug")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one question, if the caller may ask it."""
        name = request.match_info["name"]
        caller = await self._caller(request)
        access = judge_access(
            request.remote or "", caller, host=request.host, root_namespace=self._content.root_namespace
        )
        if access is Access.NOBODY:
            raise _refused(401, "debug endpoints are for callers on this machine, or with a token of the mesh")
        if not (access is Access.ALL or ("proxyID" in request.query and may_see(access, name))):
            raise _refused(403, "your namespace may only look at the configuration of its own proxies: give proxyID")
        question = Question(
            query=request.query,
            may_see=lambda namespace: may_see(access, name, proxy_namespace=namespace, caller=caller),
        )
        try:
            answer = self._handlers.answer(name, question)
        except QuestionError as error:
            raise _refused(error.status, str(error)) from error
        return await self._respond(request, answer, pretty=question.switch("pretty"))

    async def _caller(self, request: web.Request) -> Caller | None:
        """Who asks; None where nothing was presented.

        Raises:
            web.HTTPException: a token was presented that proves nothing.
        """
        if self._content.gatekeeper is None or "authorization" not in request.headers:
            return None
        credentials = Credentials.read(Listener.PLAINTEXT, request.remote or "", list(request.headers.items()))
        try:
            return await self._content.gatekeeper.authenticate(credentials)
        except UnauthenticatedError as refusal:
            self._log.warning("caller refused", peer=credentials.peer, reason=str(refusal))
            raise _refused(401, "authentication failure") from refusal
        except UndecidedError as undecided:
            self._log.warning("caller cannot be authenticated now", peer=credentials.peer, reason=str(undecided))
            raise _refused(503, "cannot authenticate now; try again") from undecided

    async def _respond(self, request: web.Request, answer: Any, *, pretty: bool) -> web.StreamResponse:
        living = isinstance(answer, Living)
        pieces = render_json(answer.value if living else answer, pretty=pretty)
        first = await self._next(pieces, living=living)
        if len(first) < _BATCH_BYTES and not living:
            return web.Response(body=first, content_type="application/json")
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        while first:
            async with asyncio.timeout(_SEND_S):
                await response.write(first)
            first = await self._next(pieces, living=living)
        await response.write_eof()
        return response

    async def _next(self, pieces: Any, *, living: bool) -> bytes:
        """The next pieces: living state is read here, between other work; the rest is made in a thread."""
        async with self._turn:
            if living:
                await asyncio.sleep(0)
                now = asyncio.get_running_loop().time
                until = now() + _TURN_S
                return batch(pieces, size_bytes=_BATCH_BYTES, enough=lambda: now() > until)
            return await asyncio.to_thread(batch, pieces, size_bytes=_BATCH_BYTES)


def _refused(status: int, text: str) -> web.HTTPException:
    kinds: dict[int, type[web.HTTPException]] = {
        400: web.HTTPBadRequest,
        401: web.HTTPUnauthorized,
        403: web.HTTPForbidden,
        404: web.HTTPNotFound,
        503: web.HTTPServiceUnavailable,
    }
    return kinds[status](text=f"{text}\n")


@web.middleware
async def _one_bad_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The crash boundary of one request: it is logged, the next one is served."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except (ConnectionError, TimeoutError):
        raise web.HTTPServiceUnavailable(text="the answer was not taken in time\n") from None
    except Exception as error:
        get_logger("debug").error("request failed", path=request.path, exc_info=error)
        raise web.HTTPInternalServerError(text="internal error; the log says more\n") from error


def _page_file(name: str) -> web.Response:
    body = files("discovery.debug").joinpath("web", name).read_bytes()
    return web.Response(body=body, content_type=_PAGE_FILES[name], charset="utf-8", headers=_PAGE_HEADERS)


def build_application(content: DebugContent) -> web.Application:
    """All HTTP paths; the same on every address, as users of istiod expect."""
    debug = _Debug(content)

    async def ready(_: web.Request) -> web.Response:
        if content.readiness.ready:
            return web.Response()
        return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, text=", ".join(content.readiness.reasons) + "\n")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=render_metrics(content.registry), headers={"content-type": CONTENT_TYPE})

    async def version(_: web.Request) -> web.Response:
        return web.Response(text=f"pilot-mesh {distribution_version('pilot-mesh')}\n")

    async def page(request: web.Request) -> web.Response:
        name = request.match_info.get("file", "index.html")
        if name not in _PAGE_FILES:
            raise _refused(404, f"the page has no file {name!r}")
        return _page_file(name)

    application = web.Application(middlewares=[_one_bad_request])
    application.router.add_get("/ready", ready)
    application.router.add_get("/metrics", metrics)
    application.router.add_get("/version", version)
    application.router.add_get("/debug", page)
    application.router.add_get("/debug/", page)
    application.router.add_get("/debug/web/{file}", page)
    application.router.add_get("/debug/{name}", debug.handle)
    return application


class HttpEndpoint:
    """Serves an application at one address. ``port`` is the real one once entered."""

    def __init__(self, name: str, host: str, port: int, application: web.Application) -> None:
        self.name = name
        self.port = port
        self._host = host
        self._runner = web.AppRunner(application, access_log=None)

    async def __aenter__(self) -> Self:
        """Bind.

        Raises:
            OSError: the address is taken or not ours.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host or None, self.port, reuse_address=True)
        try:
            await site.start()
        except BaseException:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def run(self) -> None:
        """Serve until cancelled; aiohttp does it by itself."""
        await asyncio.Event().wait()
