from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from agent.status.app_probes import AppProbes
from agent.status.metrics import StatusMetrics
from agent.status.probe_http import HttpProber
from agent.status.readiness import Gate
from agent.status.scrape import Scrape, ScrapeSources
from agent.status.server import StatusRoutes
from discovery.runtime.http import Request
from discovery.runtime.logs import Logger


class _Server:
    def __init__(self) -> None:
        self.objection = ""
        self.names: dict[str, str] | None = None
        self.drains = self.quits = 0
        scrape = Scrape(StatusMetrics(), lambda: b"own 1\n", ScrapeSources())
        self.routes = StatusRoutes(
            [Gate("gate", lambda: self.objection)],
            scrape,
            AppProbes({}, host="127.0.0.1", status_port=15020, prober=HttpProber()),
            drain=self._drain,
            quit_agent=self._quit,
            debug={"ndsz": lambda: self.names},
        )

    async def _drain(self) -> None:
        self.drains += 1

    def _quit(self) -> None:
        self.quits += 1

    async def status(self, path: str, method: str = "GET", peer: str = "127.0.0.1") -> tuple[int, bytes]:
        response = await self.routes(Request(method=method, path=path, peer=peer))
        return response.status, response.body


async def test_readiness_says_who_objects() -> None:
    """200 when nobody does, else 503 with name and reason; any peer may ask."""
    server = _Server()
    assert await server.status("/healthz/ready", peer="10.0.0.9") == (200, b"")
    server.objection = "closed"
    assert await server.status("/healthz/ready") == (503, b"gate: closed\n")


async def test_a_reason_is_logged_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes come every second; a log that repeats itself hides what is new."""
    said: list[tuple[str, str]] = []

    def backend(_scope: str, method: str, event: str, facts: Mapping[str, Any]) -> None:
        said.append((method, str(facts.get("reason", event))))

    monkeypatch.setattr(Logger, "backend", staticmethod(backend))
    server = _Server()
    for objection in ("a", "a", "b", "", "", "a"):
        server.objection = objection
        await server.status("/healthz/ready")
    ready = "Envoy proxy is ready"
    assert said == [("warning", "a"), ("debug", "a"), ("warning", "b"), ("info", ready), ("warning", "a")]


@pytest.mark.parametrize(
    ("method", "peer", "status"),
    [("POST", "127.0.0.1", 200), ("POST", "10.0.0.9", 403), ("GET", "10.0.0.9", 403), ("GET", "::1", 405)],
)
@pytest.mark.parametrize("path", ["/drain", "/quitquitquit"])
async def test_orders_come_from_this_host_by_post(path: str, method: str, peer: str, status: int) -> None:
    """Whence is checked before how; a refused order does nothing."""
    server = _Server()
    assert (await server.status(path, method, peer))[0] == status
    assert server.drains + server.quits == (1 if status == 200 else 0)


async def test_metrics_have_two_paths() -> None:
    """The one of Envoy and the usual one."""
    server = _Server()
    assert await server.status("/metrics") == await server.status("/stats/prometheus") == (200, b"own 1\n")


async def test_other_paths_are_not_there() -> None:
    """404."""
    assert (await _Server().status("/"))[0] == 404


async def test_probes_of_the_application_go_there() -> None:
    """Any peer may ask: kubelet is not on loopback."""
    assert (await _Server().status("/app-health/web/livez", peer="10.0.0.9"))[0] == 400


async def test_debug_is_for_this_host() -> None:
    """403 elsewhere; 404 for what is unknown or not there yet, the latter with an empty object."""
    server = _Server()
    assert (await server.status("/debug/ndsz", peer="10.0.0.9"))[0] == 403
    assert await server.status("/debug/ndsz") == (404, b"{}")
    assert (await server.status("/debug/other"))[0] == 404
    server.names = {"a": "b"}
    assert await server.status("/debug/ndsz") == (200, b'{\n  "a": "b"\n}')
