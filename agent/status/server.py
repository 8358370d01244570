"""The status server's routes: readiness, metrics, the application's probes, drain, quit, debug."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from agent.status.app_probes import AppProbes
from agent.status.probers import is_probe_path
from agent.status.readiness import Check, first_objection
from agent.status.scrape import Scrape
from discovery.runtime.http import Request, Response
from discovery.runtime.logs import get_logger

__all__ = ["StatusRoutes"]

_LOG: Final = get_logger("healthcheck")
_DEBUG: Final = "/debug/"
_LOCAL_ONLY: Final = b"Only requests from localhost are allowed\n"


class StatusRoutes:
    """The handler of the status server.

    Args:
        checks: conditions of readiness, in order.
        scrape: the merged metrics.
        probes: of the application.
        drain: stop taking connections.
        quit_agent: end Envoy and the agent without a drain.
        debug: what is shown under ``/debug/<name>`` as JSON, to this host alone; None: nothing is there yet.
    """

    def __init__(
        self,
        checks: Sequence[Check],
        scrape: Scrape,
        probes: AppProbes,
        *,
        drain: Callable[[], Awaitable[None]],
        quit_agent: Callable[[], None],
        debug: Mapping[str, Callable[[], Any]] = {},
    ) -> None:
        self._checks = tuple(checks)
        self._scrape = scrape
        self._probes = probes
        self._drain = drain
        self._quit_agent = quit_agent
        self._debug = dict(debug)
        self._last: tuple[str, str] | None = ("", "")  # of the last answer; None: ready
        self._routes: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/healthz/ready": self._ready,
            "/metrics": self._scrape.answer,
            "/stats/prometheus": self._scrape.answer,
            "/drain": self._take_drain,
            "/quitquitquit": self._take_quit,
        }

    async def __call__(self, request: Request) -> Response:
        """Answer one request; unknown paths are 404."""
        if is_probe_path(request.path):
            return await self._probes.answer(request)
        if request.path.startswith(_DEBUG):
            return self._tell_debug(request)
        route = self._routes.get(request.path)
        return Response(status=404, body=b"not found\n") if route is None else await route(request)

    async def _ready(self, _request: Request) -> Response:
        found = await first_objection(self._checks)
        changed, self._last = found != self._last, found
        if found is None:
            if changed:
                _LOG.info("Envoy proxy is ready")
            return Response()
        name, reason = found
        tell = _LOG.warning if changed else _LOG.debug  # probes come every second
        tell("Envoy proxy is NOT ready", blocked_by=name, reason=reason)
        return Response(status=503, body=f"{name}: {reason}\n".encode())

    def _tell_debug(self, request: Request) -> Response:
        if not request.local:
            return Response(status=403, body=_LOCAL_ONLY)
        tell = self._debug.get(request.path.removeprefix(_DEBUG))
        if tell is None:
            return Response(status=404, body=b"not found\n")
        document = tell()
        body = msgspec.json.format(msgspec.json.encode({} if document is None else document))
        return Response(status=404 if document is None else 200, body=body, content_type="application/json")

    async def _take_drain(self, request: Request) -> Response:
        if (refusal := _refuse_order(request)) is not None:
            return refusal
        await self._drain()
        return Response(body=b"OK")

    async def _take_quit(self, request: Request) -> Response:
        if (refusal := _refuse_order(request)) is not None:
            return refusal
        self._quit_agent()
        return Response(body=b"OK")


def _refuse_order(request: Request) -> Response | None:
    """Orders come from this host only, and by POST; the first is checked first."""
    if not request.local:
        return Response(status=403, body=_LOCAL_ONLY)
    if request.method != "POST":
        return Response(status=405, body=b"want POST\n", headers=(("allow", "POST"),))
    return None
