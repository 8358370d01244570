"""One scrape for all of a workload: the agent's own metrics, then Envoy's, then the application's.

A source that fails is left out and counted; the scrape itself always succeeds, or one broken source would blind
Prometheus to the others.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec

from agent.status.exposition import judge_exposition
from agent.status.merge import Format, Part, accepts_gzip, join_application, merge, read_format, rewrite_accept
from agent.status.metrics import StatusMetrics
from agent.status.scrape_targets import ScrapeTarget
from discovery.runtime.http import Headers, Request, Response
from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from discovery.runtime.logs import get_logger

__all__ = ["Scrape", "ScrapeSources", "scrape_timeout_s"]

_LOG: Final = get_logger("default")
_DEFAULT_TIMEOUT_S: Final = 30.0
_MARGIN, _MARGIN_S = 0.1, 1.0  # of the time, and at most: for putting answers together and sending them
_FORWARDED: Final = ("user-agent", "x-prometheus-scrape-timeout-seconds")
# Of several targets each is held in memory until the slowest has answered.
_MAX_TARGET_BYTES: Final = 10 << 20
_MAX_UNPACKED_BYTES: Final = 64 << 20  # as much as is read of an answer that is not compressed
_MIN_GZIP_BYTES: Final = 1400  # what fits into one packet anyway
_GZIP: Final = 31  # zlib's number for the gzip form with the largest window


class ScrapeSources(msgspec.Struct, frozen=True, kw_only=True):
    """Besides the agent's own: Envoy's Prometheus listener (None to leave it out) and the application's targets."""

    envoy: TcpTarget | None = None
    application: tuple[ScrapeTarget, ...] = ()
    application_host: str = "localhost"


def scrape_timeout_s(request: Request) -> float:
    """How long sources have: less than Prometheus will wait, or one that hangs would take the others' answers along.

    A header that cannot be read means our default.
    """
    try:
        seconds = float(request.header("x-prometheus-scrape-timeout-seconds"))
    except ValueError:
        return _DEFAULT_TIMEOUT_S
    return seconds - min(_MARGIN_S, seconds * _MARGIN) if 0 < seconds < 3600 else _DEFAULT_TIMEOUT_S


class Scrape:
    """Answers ``/stats/prometheus`` and ``/metrics``."""

    def __init__(
        self, metrics: StatusMetrics, own: Callable[[], bytes], sources: ScrapeSources, *, local_only: bool = False
    ) -> None:
        """``own`` renders the agent's metrics."""
        self._metrics = metrics
        self._own = own
        self._sources = sources
        self._local_only = local_only

    async def answer(self, request: Request) -> Response:
        """The merged metrics."""
        if self._local_only and not request.local:
            return Response(status=403, body=b"Only requests from localhost are allowed\n")
        self._metrics.scrapes.inc()
        envoy, application = await asyncio.gather(self._envoy(request), self._application(request))
        whole = merge(self._agent(), envoy, application)
        return await _respond(whole, request)

    def _agent(self) -> bytes:
        try:
            return self._own()
        except Exception as error:  # noqa: BLE001 - boundary of one source: an error of ours must not hide Envoy
            self._leave_out("agent", repr(error))
            return b""

    async def _envoy(self, request: Request) -> bytes:
        target = self._sources.envoy
        if target is None:
            return b""
        path = "/stats/prometheus" + (f"?{urlencode(request.query)}" if request.query else "")
        part = await self._ask("envoy", target, path, _headers(request, openmetrics=False), scrape_timeout_s(request))
        return part.body if part else b""

    async def _application(self, request: Request) -> Part | None:
        headers, timeout_s = _headers(request, openmetrics=True), scrape_timeout_s(request)
        host, targets = self._sources.application_host, self._sources.application
        limit = _MAX_TARGET_BYTES if len(targets) > 1 else _MAX_UNPACKED_BYTES
        parts: Sequence[Part | None] = await asyncio.gather(
            *(
                self._ask("application", TcpTarget(host, target.port), target.path, headers, timeout_s)
                for target in targets
            )
        )
        parts = [self._readable(part, target, limit) for part, target in zip(parts, targets, strict=True)]
        return join_application([part for part in parts if part is not None])

    async def _ask(self, source: str, target: TcpTarget, path: str, headers: Headers, timeout_s: float) -> Part | None:
        try:
            response = await fetch(target, path, headers=headers, timeout_s=timeout_s)
            if response.status != 200:
                raise HttpClientError(f"GET {path} at {target}: status {response.status}, want 200")
            body = _unpack(response)
        except (HttpClientError, ValueError) as error:
            self._leave_out(source, str(error))
            return None
        return Part(body, read_format(response.content_type))

    def _readable(self, part: Part | None, target: ScrapeTarget, limit: int) -> Part | None:
        """Nothing that Prometheus would refuse the whole for, and not more than we can hold."""
        if part is None:
            return None
        if len(part.body) > limit:
            reason = f"{len(part.body)} bytes, at most {limit}"
        else:
            reason = judge_exposition(part.body, openmetrics=part.format is not Format.TEXT)
        if reason:
            self._leave_out("application", f"port {target.port}, {target.path}: {reason}")
            return None
        return part

    def _leave_out(self, source: str, reason: str) -> None:
        self._metrics.scrape_failures.inc(source)
        _LOG.warning("metrics of a source are left out", source=source, reason=reason)


def _unpack(response: Response) -> bytes:
    """The body as it was before it was compressed: some servers do that to whoever asks.

    Raises:
        ValueError: in a way that was not asked for, damaged, or to more than can be held.
    """
    encoding = response.header("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return response.body
    if encoding not in ("gzip", "x-gzip"):
        raise ValueError(f"the answer is encoded by {encoding}, want gzip or nothing")
    unpacker = zlib.decompressobj(wbits=_GZIP)
    try:
        body = unpacker.decompress(response.body, _MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise ValueError(f"the answer is damaged: {error}") from None
    if not unpacker.eof:
        raise ValueError(f"the answer is cut off, or larger than {_MAX_UNPACKED_BYTES} bytes when unpacked")
    return body


def _headers(request: Request, *, openmetrics: bool) -> Headers:
    accept = rewrite_accept(request.header("accept", "*/*"), openmetrics=openmetrics)
    forwarded = ((name, value) for name in _FORWARDED if (value := request.header(name)))
    return (("accept", accept), *forwarded)


async def _respond(whole: Part, request: Request) -> Response:
    body = whole.body
    headers: Headers = (("vary", "Accept-Encoding"),)
    if len(body) >= _MIN_GZIP_BYTES and accepts_gzip(request.header("accept-encoding")):
        body = await asyncio.to_thread(_gzip, body)
        headers = (*headers, ("content-encoding", "gzip"))
    return Response(body=body, content_type=Format(whole.format).value, headers=headers)


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(level=6, wbits=_GZIP)
    return packer.compress(body) + packer.flush()
