"""The HTTPS server of the webhooks. Sizes are bounded and waits have deadlines: the creation of a pod waits for us."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

from aiohttp import web
from aiohttp.typedefs import Handler

from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger
from discovery.webhooks.admission import Request, ReviewError, parse_review, render_review
from discovery.webhooks.injecting import PodInjector
from discovery.webhooks.metrics import WebhookMetrics
from discovery.webhooks.tls import ServingTls
from discovery.webhooks.validating import judge_request

__all__ = ["MAX_BODY_BYTES", "WebhookContent", "WebhookServer", "build_webhooks"]

MAX_BODY_BYTES: Final = 6 << 20  # the API server sends no more
_BODY_S: Final = 30.0
_HEADER_S: Final = 30.0
_SHUTDOWN_S: Final = 10.0
_CHECK_S: Final = 60.0
_log = get_logger("webhook")


class WebhookContent:
    """What the webhooks answer from.

    Attributes:
        problems: why the webhooks cannot answer now; empty when they can.
    """

    def __init__(
        self, injector: PodInjector, metrics: WebhookMetrics, clock: Clock, problems: Callable[[], tuple[str, ...]]
    ) -> None:
        self.injector = injector
        self.metrics = metrics
        self.clock = clock
        self.problems = problems


class _Refused(Exception):  # noqa: N818 - it is an answer, not an error of ours
    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Webhooks:
    """Handlers of the paths."""

    def __init__(self, content: WebhookContent) -> None:
        self._content = content
        self._metrics = content.metrics

    async def inject(self, http: web.Request) -> web.Response:
        """A pod is created."""
        metrics, clock = self._metrics, self._content.clock
        metrics.requests.inc()
        began = clock.monotonic()
        try:
            request = await _review(http)
        except _Refused as refusal:
            metrics.failures.inc()
            return _plain(http, refusal)
        injected = self._content.injector.review(request, http.path)
        metrics.seconds.observe(clock.monotonic() - began)
        counter = metrics.failures if not injected.answer.allowed else metrics.skipped
        if injected.answer.patch:
            counter = metrics.successes
        counter.inc()
        _tell_injected(request, injected.answer.message, injected.decision.reason if injected.decision else "")
        return _json(render_review(request, injected.answer))

    async def validate(self, http: web.Request) -> web.Response:
        """Configuration is written."""
        try:
            request = await _review(http)
        except _Refused as refusal:
            self._metrics.http_errors.inc(str(refusal.status.value))
            return _plain(http, refusal)
        judgement = judge_request(request)
        kind = request.kind
        if judgement.refusal is not None:
            self._metrics.failed.inc(kind.group, kind.kind, judgement.refusal)
            _log.info("configuration refused", object=_name(request), reason=judgement.answer.message)
        elif judgement.judged:
            self._metrics.passed.inc(kind.group, kind.kind)
        return _json(render_review(request, judgement.answer))

    async def ready(self, _: web.Request) -> web.Response:
        """Whether the webhooks can answer."""
        problems = self._content.problems()
        if not problems:
            return web.Response()
        return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, text="\n".join(problems) + "\n")


def _tell_injected(request: Request, problem: str, reason: str) -> None:
    if problem:
        _log.error("pod not injected", object=_name(request), reason=problem)
    else:
        _log.debug("pod judged", object=_name(request), reason=reason)


def _name(request: Request) -> str:
    metadata = (request.object or {}).get("metadata")
    own = metadata.get("name") or metadata.get("generateName") if isinstance(metadata, dict) else ""
    return f"{request.kind.kind} {request.namespace}/{request.name or own or '(no name)'}"


async def _review(http: web.Request) -> Request:
    """The request in a body.

    Raises:
        _Refused: it is none, too large, or does not come in time.
    """
    if http.content_type != "application/json":
        text = f"invalid Content-Type {http.content_type!r}, want application/json"
        raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, text)
    try:
        async with asyncio.timeout(_BODY_S):
            body = await http.read()
    except web.HTTPRequestEntityTooLarge:
        text = f"the body has more than {MAX_BODY_BYTES} bytes"
        raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text) from None
    except TimeoutError:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"the body did not come within {_BODY_S:g} s") from None
    if not body:
        raise _Refused(HTTPStatus.BAD_REQUEST, "no body found")
    try:
        return parse_review(body)
    except ReviewError as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from None


def _plain(http: web.Request, refusal: _Refused) -> web.Response:
    _log.warning("not an admission request", path=http.path, peer=http.remote, reason=str(refusal))
    return web.Response(status=refusal.status, text=f"{refusal}\n")


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


@web.middleware
async def _one_bad_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The crash boundary of one request: no answer is a refusal, where the webhook's failure policy says so."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception as error:  # noqa: BLE001 - a named crash boundary
        _log.error("admission request failed", path=request.path, exc_info=error)
        return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR, text="internal error; the log says more\n")


def build_webhooks(content: WebhookContent) -> web.Application:
    """All paths of the webhooks."""
    webhooks = _Webhooks(content)
    application = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_one_bad_request])
    for path, handler in (("/inject", webhooks.inject), ("/validate", webhooks.validate)):
        application.router.add_post(path, handler)
        application.router.add_post(path + "/{rest:.*}", handler)
    application.router.add_get("/ready", webhooks.ready)
    return application


class WebhookServer:
    """Serves the webhooks at one address. ``port`` is the real one once entered.

    Args:
        tls: what is presented; renewed every ``renew_s`` seconds, and whenever ``renew`` is called.
        header_s: how long a connection may take to send the head of a request, and may idle.
    """

    name = "webhooks"

    def __init__(  # noqa: PLR0913 - an address, what is served there, and two times
        self,
        host: str,
        port: int,
        application: web.Application,
        tls: ServingTls,
        clock: Clock,
        *,
        renew_s: float,
        header_s: float = _HEADER_S,
    ) -> None:
        self.port = port
        self._host = host
        self._tls = tls
        self._clock = clock
        self._renew_s = renew_s
        self._renew_at = 0.0
        self._runner = web.AppRunner(
            application, access_log=None, keepalive_timeout=header_s, shutdown_timeout=_SHUTDOWN_S
        )

    async def __aenter__(self) -> Self:
        """Bind.

        Raises:
            OSError: the address is taken or not ours.
        """
        await self._runner.setup()
        site = web.TCPSite(
            self._runner, self._host or None, self.port, ssl_context=self._tls.context, reuse_address=True
        )
        try:
            await site.start()
        except BaseException:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        self._renew_at = self._clock.monotonic() + self._renew_s
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def renew(self) -> None:
        """Present a new certificate, since the authority is a new one or the old one nears its end; what fails is
        tried again later."""
        try:
            self._tls.renew()
        except (ssl.SSLError, OSError, ValueError) as error:
            self._renew_at = self._clock.monotonic() + _CHECK_S
            _log.error("certificate of the webhooks not renewed; the present one stays", reason=str(error))
            return
        self._renew_at = self._clock.monotonic() + self._renew_s

    async def run(self) -> None:
        """Serve until cancelled; aiohttp does it by itself, so only the certificate is looked after."""
        while True:
            await asyncio.sleep(_CHECK_S)
            if self._clock.monotonic() >= self._renew_at:
                self.renew()
