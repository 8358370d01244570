"""The status server as the settings say; with a real Envoy in test_app."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from agent.envoy.admin import EnvoyAdmin
from agent.envoy.ending import DrainPolicy
from agent.envoy.supervisor import EnvoySupervisor
from agent.metrics import Registry
from agent.status_port import build_status_server
from discovery.runtime.http import HttpServer
from discovery.runtime.http_client import TcpTarget, fetch
from discovery.runtime.process import Process, ProcessSpec
from tests.kit.agent import launch, settings
from tests.kit.tcp_server import scripted_server

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\napp 3\n"


def build(directory: Path, *, role: str = "sidecar", **env: str) -> HttpServer:
    told = settings(directory, env={"PILOT_AGENT_MERGE_ENVOY_STATS": "false", **env}, flags={"role": role})
    admin = EnvoyAdmin(TcpTarget("127.0.0.1", 1))
    process = Process(ProcessSpec(name="envoy", argv=("none",)))
    envoy = EnvoySupervisor(lambda _epoch: process, admin, DrainPolicy(), over=asyncio.Event(), monotonic=lambda: 0.0)
    return build_status_server(told, launch(told), envoy, registry=Registry(), age_s=lambda: 1.0)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"ISTIO_KUBE_APP_PROBERS": "x"}, "ISTIO_KUBE_APP_PROBERS"),
        ({"ISTIO_PROMETHEUS_ANNOTATIONS": '{"port": "15020"}'}, "15020 is the agent's"),
        ({"ISTIO_PROMETHEUS_ANNOTATIONS": '{"port": "15990"}', "ENVOY_STATUS_PORT": "15990"}, "15990 is the agent's"),
    ],
)
async def test_what_the_injector_wrote_is_judged_at_the_start(tmp_path: Path, env: dict[str, str], words: str) -> None:
    """Not when the first probe comes."""
    with pytest.raises(ValueError, match=words):
        build(tmp_path, **env)


@pytest.mark.parametrize(("role", "asked"), [("sidecar", 2), ("router", 1)])
async def test_the_application_is_asked_where_it_is(tmp_path: Path, role: str, asked: int) -> None:
    """Probes at the pod's address, metrics at localhost; gateways have no application to scrape."""
    async with scripted_server(lambda _: OK) as app:
        probers = {"/app-health/web/readyz": {"httpGet": {"port": app.port, "path": "/ready"}}}
        env = {
            "INSTANCE_IP": "127.0.0.1",
            "ISTIO_KUBE_APP_PROBERS": json.dumps(probers),
            "ISTIO_PROMETHEUS_ANNOTATIONS": json.dumps({"port": str(app.port)}),
            "PROXY_CONFIG": '{"statusPort": 0}',
        }
        async with build(tmp_path, role=role, **env) as server, asyncio.TaskGroup() as group:
            task = group.create_task(server.run())
            target = TcpTarget("127.0.0.1", server.port)
            probed = await fetch(target, "/app-health/web/readyz", timeout_s=5)
            scraped = await fetch(target, "/metrics", timeout_s=5)
            task.cancel()
    assert (probed.status, probed.body) == (200, b"app 3\n")
    assert (b"app 3" in scraped.body) is (role == "sidecar")
    assert b"istio_agent_scrapes_total 1.0" in scraped.body
    assert len(app.heads) == asked
