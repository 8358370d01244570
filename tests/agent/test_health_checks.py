"""Which agents probe their application, where, and what they say when they leave."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agent.envoy.absent import NoEnvoy
from agent.envoy.ending import Reason
from agent.health.checker import HealthChecker
from agent.health.probe import ProbeError
from agent.health_checks import build_health_checker, farewell
from agent.settings import Settings
from agent.xds_proxy.relay import Health
from discovery.runtime.http import Response
from tests.kit.admin import ScriptedAdmin, serving
from tests.kit.agent import launch, settings
from tests.kit.eventually import eventually
from tests.kit.fake_clock import FakeClock
from tests.kit.tcp_server import scripted_server


def told(directory: Path, probe: dict[str, Any] | None, **env: str) -> Settings:
    config = {} if probe is None else {"readinessProbe": probe}
    environ = {"DISABLE_ENVOY": "true", "PROXY_CONFIG": json.dumps(config), **env}
    return settings(directory, env=environ)


def built(options: Settings, reports: list[Health], envoy: NoEnvoy | None = None) -> HealthChecker | None:
    plan = launch(options, ips=("127.0.0.1", "10.1.1.7"))
    envoy = envoy or NoEnvoy(over=asyncio.Event())
    return build_health_checker(options, plan, envoy, reports.append, clock=FakeClock())


async def test_without_a_probe_nobody_checks(tmp_path: Path) -> None:
    """A pod's health is kubelet's business."""
    assert built(told(tmp_path, None), []) is None


async def test_a_probe_that_cannot_be_used_ends_the_start(tmp_path: Path) -> None:
    """An entry that is never healthy would be found out much later."""
    with pytest.raises(ProbeError, match="port"):
        built(told(tmp_path, {"tcpSocket": {}}), [])


async def test_the_workload_is_asked_at_its_first_address(tmp_path: Path) -> None:
    """And what it says is told, until the agent is about to end."""
    reports: list[Health] = []
    envoy = NoEnvoy(over=asyncio.Event())
    async with scripted_server(lambda _: None) as server:
        checker = built(told(tmp_path, {"tcpSocket": {"port": server.port}, "periodSeconds": 1}), reports, envoy)
        assert checker is not None
        async with checker, asyncio.TaskGroup() as group:
            task = group.create_task(checker.run())
            await eventually(lambda: reports == [Health()])
            envoy.request_end(Reason.SIGNAL)
            task.cancel()
        ended = built(told(tmp_path, {"tcpSocket": {"port": server.port}}), reports, envoy)
        assert ended is not None
        async with ended, asyncio.TaskGroup() as group:
            task = group.create_task(ended.run())
            await eventually(lambda: len(server.peers) == 2)
            task.cancel()
    assert reports == [Health()]


@pytest.mark.parametrize(
    ("life", "said"), [(1, Health()), (None, Health(failure="Envoy is not running"))], ids=["runs", "is dead"]
)
async def test_a_machine_without_its_sidecar_is_not_well(tmp_path: Path, life: int | None, said: Health) -> None:
    """Whatever its application says: while an Envoy that crashed waits for its restart nobody can be served."""
    stats = "cluster_manager.cds.update_success: 1\nlistener_manager.lds.update_success: 1\nserver.state: 0\n"
    admin = ScriptedAdmin(stats=Response(body=f"{stats}listener_manager.workers_started: 1\n".encode()))
    reports: list[Health] = []
    envoy = NoEnvoy(over=asyncio.Event())
    envoy.life = life
    async with scripted_server(lambda _: None) as server, serving(admin) as at_admin:
        config = {"readinessProbe": {"tcpSocket": {"port": server.port}}, "proxyAdminPort": at_admin.port}
        options = settings(tmp_path, env={"PROXY_CONFIG": json.dumps(config)})
        checker = built(options, reports, envoy)
        assert checker is not None
        async with checker, asyncio.TaskGroup() as group:
            task = group.create_task(checker.run())
            await eventually(lambda: reports == [said])
            task.cancel()


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, []),
        ({"ISTIO_META_AUTO_REGISTER_GROUP": "vm"}, [Health(failure="the agent is shutting down")]),
        ({"ISTIO_META_WORKLOAD_ENTRY": "vm-1"}, [Health(failure="the agent is shutting down")]),
    ],
)
def test_who_registered_itself_says_that_it_leaves(tmp_path: Path, env: dict[str, str], said: list[Health]) -> None:
    """So that callers go elsewhere before connections are refused."""
    options = told(tmp_path, None, **env)
    reports: list[Health] = []
    farewell(launch(options), reports.append)
    assert reports == said
