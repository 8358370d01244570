"""Envoy's files and processes as the settings say; with a real one in test_app and the tests of hot restart."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from agent.envoy.hot_restart import HotRestart
from agent.envoy_life import StartError, bootstrap_file, build_envoy, telemetry_attributes
from agent.launch import Host, plan_launch
from tests.kit.agent import launch, settings

HOST = Host(ips=("10.1.1.7",), envoy="/bin/true")
SHARED = HotRestart(base_id=1, socket_path="hot", parent_shutdown_s=1)


def test_the_bootstrap_is_there_while_envoy_lives(tmp_path: Path) -> None:
    """Only the agent's user may read it: it may hold a tracer's token in its environment."""
    told = settings(tmp_path, env={"PROXY_CONFIG": json.dumps({"configPath": str(tmp_path / "etc")})})
    path = tmp_path / "etc/envoy-rev.json"
    with bootstrap_file(told, launch(told)):
        assert json.loads(path.read_text())["node"]["id"].startswith("sidecar~10.1.1.7~")
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """The error names the setting."""
    (tmp_path / "file").touch()
    told = settings(tmp_path, env={"PROXY_CONFIG": json.dumps({"configPath": str(tmp_path / "file/etc")})})
    with pytest.raises(StartError, match="configPath"), bootstrap_file(told, launch(told)):
        pass


@pytest.mark.parametrize("shared", [SHARED, None])
async def test_only_who_shares_can_be_replaced(tmp_path: Path, shared: HotRestart | None) -> None:
    """Without the setting there is nothing to hand over by."""
    told, host = settings(tmp_path), msgspec.structs.replace(HOST, hot_restart=shared)
    envoy = build_envoy(told, host, plan_launch(told, host), over=asyncio.Event(), monotonic=lambda: 0.0)
    assert envoy.replaceable == (shared is not None)


def test_a_successor_tells_its_epoch(tmp_path: Path) -> None:
    """On the command line, and to the relay by a header of its stream; the first one has none."""
    told, host = settings(tmp_path), msgspec.structs.replace(HOST, hot_restart=SHARED)
    for epoch in (0, 1):
        planned = plan_launch(told, host, epoch=epoch)
        assert planned.bootstrap is not None
        (service,) = planned.bootstrap.document["dynamic_resources"]["ads_config"]["grpc_services"]
        headers = [{"key": "x-envoy-epoch", "value": "1"}] if epoch else None
        assert service.get("initial_metadata") == headers
        assert planned.argv[planned.argv.index("--restart-epoch") + 1] == str(epoch)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", "service.name=web.shop"),
        ("a=b", "a=b,service.name=web.shop"),
        ("service.name=own, a=b", "service.name=own,a=b"),
    ],
)
def test_spans_tell_whose_they_are(said: str, expected: str) -> None:
    """By the name of the proxy's cluster, unless the environment has another."""
    assert telemetry_attributes(said, service="web.shop") == expected
