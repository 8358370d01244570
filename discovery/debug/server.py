"""The HTTP side: readiness, metrics, version, and the debug endpoints, on as many addresses as are configured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from importlib.metadata import version as distribution_version
from importlib.resources import files
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry

from discovery.auth.caller import Caller, Credentials, Listener
from discovery.auth.errors import UnauthenticatedError
from discovery.debug.access import Access, judge_access, may_see
from discovery.debug.config_dump import TypeNameError, config_dump, parse_types, raw_resources
from discovery.debug.explain import Explainer, UnknownResourceError
from discovery.debug.proxies import adsz, connections, rfc3339, syncz
from discovery.debug.registry import configz, endpointz, registryz
from discovery.runtime.metrics import CONTENT_TYPE, render_metrics
from discovery.runtime.readiness import Readiness
from discovery.schema.findings import Finding
from discovery.store.cells import MESH
from discovery.wire.type_urls import ENDPOINT, EXTENSION_CONFIG, NAME_TABLE
from discovery.xds.connections import ConnectionInfo, Connections
from discovery.xds.server import Authenticator

__all__ = ["DebugContent", "HttpEndpoint", "build_application"]

_NOT_HERE: Final = "Proxy not connected to this Pilot instance. It may be connected to another instance."


class DebugContent(msgspec.Struct, frozen=True, kw_only=True):
    """What the endpoints show, all of it read-only here.

    Attributes:
        findings: what is wrong with the configuration now.
    """

    connections: Connections
    explainer: Explainer
    readiness: Readiness
    registry: CollectorRegistry
    findings: Callable[[], tuple[Finding, ...]]
    root_namespace: str
    gatekeeper: Authenticator | None = None


class _Debug:
    """Handlers by name; the name is the path after ``/debug/``."""

    def __init__(self, content: DebugContent) -> None:
        self._content = content
        self._db = content.explainer.db
        self.handlers: Mapping[str, Callable[[web.Request, _Caller], Any]] = {
            "adsz": lambda *_: adsz(content.connections),
            "config_dump": self._config_dump,
            "configz": lambda *_: configz(content.explainer.objects),
            "connections": lambda *_: connections(content.connections),
            "ecdsz": self._one_type(EXTENSION_CONFIG),
            "edsz": self._one_type(ENDPOINT),
            "endpointShardz": lambda *_: endpointz(self._db),
            "endpointz": lambda *_: endpointz(self._db),
            "explain": self._explain,
            "list": lambda *_: sorted(self.handlers),
            "mesh": lambda *_: msgspec.to_builtins(MESH(self._db, None), enc_hook=str),
            "ndsz": self._one_type(NAME_TABLE),
            "push_status": lambda *_: self._push_status(),
            "registryz": lambda *_: registryz(self._db),
            "syncz": lambda request, _: syncz(content.connections, namespace=request.query.get("namespace", "")),
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one question, if the caller may ask it."""
        name = request.match_info["name"]
        handler = self.handlers.get(name)
        if handler is None:
            raise web.HTTPNotFound(text=f"no debug endpoint {name!r}; /debug/list names them all\n")
        caller = await self._caller(request)
        if caller.access is Access.NOBODY:
            raise web.HTTPUnauthorized(text="debug endpoints are for callers on this machine or with a token\n")
        if caller.access is Access.NAMESPACE and "proxyID" not in request.query:
            raise web.HTTPForbidden(text="your namespace may only look at its own proxies: give proxyID\n")
        answer = handler(request, caller)
        pretty = "pretty" in request.query
        body = msgspec.json.encode(answer, enc_hook=str)
        return web.Response(
            body=msgspec.json.format(body, indent=2) + b"\n" if pretty else body, content_type="application/json"
        )

    async def _caller(self, request: web.Request) -> _Caller:
        caller = None
        if self._content.gatekeeper is not None and "authorization" in request.headers:
            credentials = Credentials.read(Listener.PLAINTEXT, request.remote or "", list(request.headers.items()))
            try:
                caller = await self._content.gatekeeper.authenticate(credentials)
            except UnauthenticatedError as refusal:
                raise web.HTTPUnauthorized(text="authentication failure\n") from refusal
        access = judge_access(request.remote or "", caller, root_namespace=self._content.root_namespace)
        return _Caller(request.match_info["name"], access, caller)

    def _proxy(self, request: web.Request, caller: _Caller) -> ConnectionInfo:
        wanted = request.query.get("proxyID")
        if not wanted:
            raise web.HTTPBadRequest(text="You must provide a proxyID in the query string\n")
        found = self._content.connections.find(wanted)
        if found is None:
            raise web.HTTPNotFound(text=_NOT_HERE + "\n")
        if not caller.may_see(found.node.namespace):
            raise web.HTTPForbidden(text="your namespace may only look at its own proxies\n")
        return found

    def _config_dump(self, request: web.Request, caller: _Caller) -> Any:
        found = self._proxy(request, caller)
        try:
            types = parse_types(request.query.get("types", ""))
        except TypeNameError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        if types:
            return raw_resources(found, types)
        return config_dump(found, with_endpoints="include_eds" in request.query)

    def _one_type(self, type_url: str) -> Callable[[web.Request, _Caller], Any]:
        return lambda request, caller: raw_resources(self._proxy(request, caller), [type_url])

    def _explain(self, request: web.Request, caller: _Caller) -> Any:
        found = self._proxy(request, caller)
        try:
            types = parse_types(request.query.get("type", ""))
        except TypeNameError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        name = request.query.get("name", "")
        if len(types) != 1 or not name:
            raise web.HTTPBadRequest(text="want type= (one, such as cds) and name= of the resource\n")
        try:
            return self._content.explainer.explain(found, types[0], name)
        except UnknownResourceError as error:
            raise web.HTTPNotFound(text=f"{error}\n") from error

    def _push_status(self) -> dict[str, Any]:
        """What is wrong at present: with files, with rendering, with what proxies were sent."""
        content = self._content
        return {
            "configuration": [str(finding) for finding in content.findings()],
            "rendering": dict(content.connections.failures()),
            "rejections": [
                {
                    "proxy": rejection.connection,
                    "at": rfc3339(rejection.at),
                    "type": rejection.what.type_url,
                    "resources": list(rejection.what.names),
                    "error": rejection.what.error,
                }
                for rejection in content.connections.rejections
            ],
        }


class _Caller(msgspec.Struct, frozen=True):
    """Who asks, and how far it may look."""

    handler: str
    access: Access
    caller: Caller | None

    def may_see(self, namespace: str) -> bool:
        """Whether a proxy of that namespace is its business."""
        return may_see(self.access, self.handler, proxy_namespace=namespace, caller=self.caller)


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

    async def page(_: web.Request) -> web.Response:
        html = files("discovery.debug").joinpath("web", "index.html").read_text(encoding="utf-8")
        return web.Response(text=html, content_type="text/html")

    application = web.Application()
    application.router.add_get("/ready", ready)
    application.router.add_get("/metrics", metrics)
    application.router.add_get("/version", version)
    application.router.add_get("/debug", page)
    application.router.add_get("/debug/", page)
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
