"""What users set of Envoy, seen in a running one: logs, statistics, workers, a drain that waits for connections."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from pathlib import Path

import pytest

from discovery.runtime.http_client import HttpClientError
from discovery.wire import type_urls
from discovery.wire.envoy import Listener, serialize
from tests.kit.agent import write_podinfo
from tests.kit.eventually import eventually
from tests.kit.fake_istiod import FakeIstiod, delta_response
from tests.kit.free_ports import free_ports
from tests.kit.live import inherited_environment
from tests.kit.live_agent import LiveAgent, configure_envoy, live_agent

pytestmark = [pytest.mark.envoy]


async def request(agent: LiveAgent, *args: str, port: str = "proxyAdminPort") -> tuple[int | None, str]:
    """Status and output of ``pilot-agent request``, run beside the agent as ``kubectl exec`` would."""
    argv = (sys.executable, "-m", "agent", "request", "--debug-port", str(agent.ports[port]), *args)
    environ = inherited_environment()
    process = await asyncio.create_subprocess_exec(*argv, env=environ, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return process.returncode, out.decode()


def levels(text: str) -> dict[str, str]:
    """Of Envoy's components."""
    return dict(re.findall(r"^\s+(\w+): (\w+)$", text, re.MULTILINE))


async def test_log_levels_at_the_start_and_later(tmp_path: Path) -> None:
    """By flag, with components; later by component, for all, and at the agent's own port other things."""
    args = ("--proxyLogLevel", "error,http:info")
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address, args=args) as agent:
        await configure_envoy(await istiod.accept())
        await agent.until("/healthz/ready", 200)
        status, text = await request(agent, "POST", "logging")
        found = levels(text)
        assert (status, found["http"], found["router"]) == (0, "info", "error")
        _, text = await request(agent, "POST", "logging?router=debug")
        assert (levels(text)["router"], levels(text)["http"]) == ("debug", "info")
        _, text = await request(agent, "post", "/logging?paths=admin:trace,http:critical")
        assert (levels(text)["admin"], levels(text)["http"], levels(text)["router"]) == ("trace", "critical", "debug")
        _, text = await request(agent, "POST", "logging?level=warning")
        assert set(levels(text).values()) == {"warning"}
        assert (await request(agent, "POST", "logging?nonsense=debug"))[0] == 255
        assert (await request(agent, "GET", "healthz/ready", port="statusPort"))[0] == 0


async def test_statistics_by_configuration_and_annotations(tmp_path: Path) -> None:
    """Included ones are there, others are not; annotations win; buckets of histograms; the pod's address."""
    write_podinfo(
        tmp_path,
        "annotations",
        {
            "sidecar.istio.io/statsInclusionPrefixes": "http.admin",
            "sidecar.istio.io/statsInclusionRegexps": r"filesystem\.write_.*",
            "sidecar.istio.io/statsHistogramBuckets": '{"http.admin": [1, 7, 4711]}',
        },
    )
    config = {
        "proxyStatsMatcher": {"inclusionPrefixes": ["runtime"], "inclusionSuffixes": ["downstream_cx_total"]},
        "concurrency": 2,
    }
    args = ("--concurrency", "0")
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address, config=config, args=args) as agent:
        await configure_envoy(await istiod.accept())
        await agent.until("/healthz/ready", 200)
        text = (await agent.ask("/stats", port="proxyAdminPort")).body.decode()
        names = {line.partition(": ")[0] for line in text.splitlines()}
        assert "http.admin.downstream_rq_total" in names
        assert "filesystem.write_completed" in names
        assert any(name.startswith("listener.") and name.endswith(".downstream_cx_total") for name in names)
        assert not any(name.startswith("filesystem.flushed") for name in names)
        assert not any(name.startswith("runtime.") for name in names)  # the annotation took the list's place

        async def bucketed() -> bool:
            text = (await agent.ask("/stats/prometheus", port="proxyAdminPort")).body.decode()
            return 'le="4711"' in text

        await eventually(bucketed)
        info = json.loads((await agent.ask("/server_info", port="proxyAdminPort")).body)
        assert info["command_line_options"]["concurrency"] == 2


async def listening(agent: LiveAgent, istiod: FakeIstiod, port: int) -> None:
    """Have its Envoy listen and say back what it is told: who connects stays connected."""
    echo = {
        "name": "envoy.filters.network.echo",
        "typed_config": {"type_url": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo"},
    }
    listener = Listener(
        name="virtualInbound",
        traffic_direction="INBOUND",
        address={"socket_address": {"address": "127.0.0.1", "port_value": port}},
        filter_chains=[{"filters": [echo]}],
    )
    stream = await istiod.accept()
    while (await stream.read()).type_url != type_urls.CLUSTER:
        pass
    await stream.write(delta_response(type_urls.CLUSTER))
    while (await stream.read()).type_url != type_urls.LISTENER:
        pass
    await stream.write(delta_response(type_urls.LISTENER, serialize(listener)))
    await agent.until("/healthz/ready", 200)


async def test_a_drain_waits_for_the_last_connection(tmp_path: Path) -> None:
    """Longer than the usual drain takes, and no longer than the connection."""
    (port,) = free_ports(1)
    env = {"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true", "MINIMUM_DRAIN_DURATION": "100ms"}
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address, env=env) as agent:
        await listening(agent, istiod, port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        agent.signal(signal.SIGTERM)
        await agent.until("/healthz/ready", 503, starts=b"shutdown")
        async with asyncio.timeout(20):
            await agent.said("waiting for open connections.*active=1")
        writer.write(b"still here")
        assert await reader.readexactly(10) == b"still here"
        writer.close()
        assert (await agent.wait()).code == 0


async def test_a_drain_does_not_wait_for_ever(tmp_path: Path) -> None:
    """MAXIMUM_DRAIN_DURATION ends it, whoever is still connected."""
    (port,) = free_ports(1)
    env = {
        "EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true",
        "MINIMUM_DRAIN_DURATION": "100ms",
        "MAXIMUM_DRAIN_DURATION": "1s",
    }
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address, env=env) as agent:
        await listening(agent, istiod, port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        agent.signal(signal.SIGTERM)
        assert (await agent.wait()).code == 0
        assert await reader.read() == b""
        writer.close()
        with pytest.raises(HttpClientError):
            await agent.ask("/healthz/ready")
