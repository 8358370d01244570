"""One scrape for all of a workload: the agent's own metrics, then Envoy's.

A source that fails is left out and counted; the scrape itself always succeeds, or one broken source would blind
Prometheus to the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from agent.status.metrics import StatusMetrics
from discovery.runtime.http import Request, Response
from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from discovery.runtime.logs import get_logger

__all__ = ["Scrape", "accepted_by_envoy", "scrape_timeout_s"]

_LOG: Final = get_logger("default")
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_PLAIN: Final = "text/plain;version=0.0.4"
_DEFAULT_TIMEOUT_S: Final = 30.0


def accepted_by_envoy(accept: str) -> str:
    """The ``Accept`` header for Envoy: only texts, for what is concatenated must be of one format.

    The order of preference is kept and written as falling quality.
    """
    kept: list[str] = []
    for item in accept.split(","):
        media = [part.strip() for part in item.split(";") if not part.strip().startswith("q=")]
        name = media[0].lower() if media else ""
        if name in ("*/*", "*"):
            media = [_PLAIN]
        elif name not in ("text/plain", "text/*"):
            continue
        if (wanted := ";".join(media)) not in kept:
            kept.append(wanted)
    if len(kept) <= 1:
        return kept[0] if kept else _PLAIN
    return ",".join(f"{name};q=0.{max(9 - rank, 1)}" for rank, name in enumerate(kept))


def scrape_timeout_s(request: Request) -> float:
    """How long Prometheus will wait; a header that cannot be read means our default."""
    try:
        seconds = float(request.header("x-prometheus-scrape-timeout-seconds"))
    except ValueError:
        return _DEFAULT_TIMEOUT_S
    return seconds if 0 < seconds < 3600 else _DEFAULT_TIMEOUT_S


class Scrape:
    """Answers ``/stats/prometheus`` and ``/metrics``."""

    def __init__(
        self, metrics: StatusMetrics, own: Callable[[], bytes], *, envoy: TcpTarget | None, local_only: bool = False
    ) -> None:
        """``own`` renders the agent's metrics; ``envoy``: its Prometheus listener, None to leave it out."""
        self._metrics = metrics
        self._own = own
        self._envoy = envoy
        self._local_only = local_only

    async def answer(self, request: Request) -> Response:
        """The merged metrics."""
        if self._local_only and not request.local:
            return Response(status=403, body=b"Only requests from localhost are allowed\n")
        self._metrics.scrapes.inc()
        parts = [self._own()]
        if self._envoy is not None:
            parts.append(await self._guarded(self._scrape_envoy(self._envoy, request)))
        body = b"\n".join(part.rstrip(b"\n") for part in parts if part) + b"\n"
        return Response(body=body, content_type=_TEXT)

    async def _guarded(self, scrape: Awaitable[bytes]) -> bytes:
        try:
            return await scrape
        except HttpClientError as error:
            self._metrics.scrape_failures.inc("envoy")
            _LOG.warning("scrape of Envoy failed", reason=str(error))
            return b""

    async def _scrape_envoy(self, target: TcpTarget, request: Request) -> bytes:
        path = "/stats/prometheus"
        if request.query:
            from urllib.parse import urlencode

            path += "?" + urlencode(request.query)
        headers = [("accept", accepted_by_envoy(request.header("accept", "*/*")))]
        headers += [
            (name, value)
            for name in ("user-agent", "x-prometheus-scrape-timeout-seconds")
            if (value := request.header(name))
        ]
        response = await fetch(target, path, headers=tuple(headers), timeout_s=scrape_timeout_s(request))
        if response.status != 200:
            raise HttpClientError(f"GET {path} at {target}: status {response.status}, want 200")
        return response.body
