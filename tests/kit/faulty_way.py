"""The way to an API server, on which things go wrong: what the test double does by itself, for the real server.

A reverse proxy on loopback, plain HTTP. What it lets pass is as the server sent it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import aiohttp
from aiohttp import web

from tests.kit.free_ports import free_port
from tests.kit.kube_api.errors import StatusError, expired, internal, invalid
from tests.kit.kube_api.handle import KubeApi, kubeconfig_text
from tests.kit.kube_api.requests import LoggedRequest, RequestLog

__all__ = ["FaultyWay"]

_HOP: Final = frozenset({"host", "transfer-encoding", "connection", "content-length"})
_SOME_EVENT: Final = b'{"type":"MODIFIED","object":{"kind":"Service","metadata":{"name":"web"}}}\n'
_VERBS: Final = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class _End(NamedTuple):
    """How a watch ends: its last words, and whether the connection then breaks."""

    words: bytes
    broken: bool


class _Watch:
    """A watch that is relayed."""

    def __init__(self, plural: str) -> None:
        self.plural = plural
        self.line = _SOME_EVENT  # the last one that came
        self._end: asyncio.Future[_End] = asyncio.get_running_loop().create_future()

    def finish(self, end: _End) -> None:
        """End it so."""
        if not self._end.done():
            self._end.set_result(end)

    async def next(self, content: aiohttp.StreamReader) -> bytes | _End:
        """The next line, empty after the last; or how it ends."""
        line = asyncio.ensure_future(content.readline())
        either: set[asyncio.Future[Any]] = {line, self._end}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._end.done():
            line.cancel()
            return self._end.result()
        self.line = line.result() or self.line
        return line.result()


class FaultyWay:
    """The switches are those of the double, see `tests.kit.kube_api.faults.Faults`.

    Args:
        api: the server behind.
        folder: where the kubeconfig is written that leads here.
    """

    def __init__(self, api: KubeApi, folder: Path) -> None:
        self.kubeconfig = folder / "faulty-way.yaml"
        self.requests = RequestLog()
        self.watch_list_refused = False
        self._api = api
        self._port = free_port()
        self._watches: dict[_Watch, None] = {}
        self._refusals: list[tuple[str, frozenset[str], StatusError]] = []
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        context = ssl.create_default_context(cadata=self._api.ca_pem.decode())
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=None), auto_decompress=False
        )
        text = kubeconfig_text(f"http://127.0.0.1:{self._port}", b"", self._api.admin_token)
        await asyncio.to_thread(self.kubeconfig.write_text, text, encoding="utf-8")
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        await self._session.close()

    # -- what can go wrong -----------------------------------------------------------------------------------------

    def cut_watches(self, plural: str = "", *, mid_object: bool = False) -> int:
        """Break the connections of open watches without a word, if wanted in the middle of an object; how many."""
        return self._finish(
            plural, lambda watch: _End(watch.line[: len(watch.line) // 2] if mid_object else b"", broken=True)
        )

    def end_watches(self, plural: str = "") -> int:
        """End open watches in an orderly way, as a timeout does; how many."""
        return self._finish(plural, lambda _: _End(b"", broken=False))

    def gone_watches(self, plural: str = "") -> int:
        """Tell open watches 410 in an error event, and end them; how many."""
        error = b'{"type":"ERROR","object":' + expired("too old resource version: 1").encoded() + b"}\n"
        return self._finish(plural, lambda _: _End(error, broken=False))

    def gone_on_next_watch(self, plural: str = "", times: int = 1) -> None:
        """Answer the next requests to watch with 410."""
        self.refuse(expired("too old resource version"), times, plural, "watch")

    def throttle(self, times: int = 1, plural: str = "", retry_after_s: int = 1) -> None:
        """Answer the next requests with 429 and `Retry-After`."""
        text = "the server has received too many requests and has asked us to try again later"
        self.refuse(StatusError(429, "TooManyRequests", text, retry_after_s=retry_after_s), times, plural)

    def fail(self, times: int = 1, plural: str = "", *verbs: str) -> None:
        """Answer the next requests with 500."""
        self.refuse(internal("injected by the test"), times, plural, *verbs)

    def refuse(self, error: StatusError, times: int = 1, plural: str = "", *verbs: str) -> None:
        """Answer the next requests with an error of your own."""
        self._refusals += [(plural, frozenset(verbs), error)] * times

    async def stop(self) -> None:
        """Close the port and cut all connections."""
        self.cut_watches()
        if self._runner is not None:
            await self._runner.cleanup()  # connections included
            self._runner = None

    async def restart(self) -> None:
        """Open the port again."""
        await self.stop()
        await self._start()

    # -- the proxy -------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        app = web.Application(client_max_size=16 << 20)
        app.router.add_route("*", "/{path:.*}", self._relay)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()

    def _finish(self, plural: str, how: Callable[[_Watch], _End]) -> int:
        watches = [watch for watch in self._watches if plural in ("", watch.plural)]
        for watch in watches:
            watch.finish(how(watch))
        return len(watches)

    async def _relay(self, request: web.Request) -> web.StreamResponse:
        plural, verb = _target(request)
        refusal = self._refusal(request, plural, verb)
        if refusal is not None:
            self._log(request, plural, verb, refusal.code)
            headers = {"Retry-After": str(refusal.retry_after_s)} if refusal.code == 429 else {}
            return web.json_response(refusal.status(), status=refusal.code, headers=headers)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        url = f"{self._api.url}{request.path_qs}"
        async with self._session.request(request.method, url, data=await request.read(), headers=headers) as answer:
            self._log(request, plural, verb, answer.status)
            passed = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
            response = web.StreamResponse(status=answer.status, headers=passed)
            await response.prepare(request)
            if verb == "watch" and answer.status == 200:
                await self._relay_watch(request, plural, answer.content, response)
            else:
                await response.write(await answer.read())
            return response

    async def _relay_watch(
        self, request: web.Request, plural: str, content: aiohttp.StreamReader, response: web.StreamResponse
    ) -> None:
        watch = _Watch(plural)
        self._watches[watch] = None
        try:
            while isinstance(line := await watch.next(content), bytes):
                if not line:
                    return
                await response.write(line)
        finally:
            del self._watches[watch]
        if line.words:
            await response.write(line.words)
        if line.broken and request.transport is not None:
            request.transport.close()

    def _refusal(self, request: web.Request, plural: str, verb: str) -> StatusError | None:
        if self.watch_list_refused and "sendInitialEvents" in request.query:
            why = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            return invalid("ListOptions", "meta.k8s.io", "", [("sendInitialEvents", "FieldValueForbidden", why)])
        for refusal in self._refusals:
            wanted, verbs, error = refusal
            if wanted in ("", plural) and (not verbs or verb in verbs):
                self._refusals.remove(refusal)
                return error
        return None

    def _log(self, request: web.Request, plural: str, verb: str, status: int) -> None:
        self.requests.add(LoggedRequest(user="", verb=verb, resource=plural, path=request.path, status=status))


def _target(request: web.Request) -> tuple[str, str]:
    """The resource that a request is about, without subresource, and the verb as RBAC rules have it."""
    parts = request.path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:] if parts[0] == "apis" else []
    if len(rest) >= 3 and rest[0] == "namespaces":
        rest = rest[2:]
    verb = _VERBS.get(request.method, "")
    if verb == "get" and len(rest) == 1:
        verb = "watch" if request.query.get("watch") in ("1", "true") else "list"
    return rest[0] if rest else "", verb
