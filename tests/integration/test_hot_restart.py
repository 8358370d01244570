"""Envoy replaced under load: by the binary that is there then, without a failed request or a second voice upstream."""

from __future__ import annotations

import re
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.kit.live import beside, until
from tests.kit.live_agent import LiveAgent
from tests.kit.live_backend import call
from tests.kit.live_load import Load
from tests.kit.live_mesh import prepared, serves, workloads
from tests.kit.prerequisites import envoy_binary

pytestmark = [pytest.mark.envoy]

CASES = Path(__file__).parent / "cases"
EDITED = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: api, namespace: default}
spec: {hosts: [api], http: [{headers: {request: {set: {x-seen: "1"}}}, route: [{destination: {host: api}}]}]}
"""


def point(link: Path, target: Path) -> None:
    """Put another program in the place of a link, as packages do."""
    fresh = link.with_name("new")
    fresh.symlink_to(target)
    fresh.rename(link)


async def replaced(agent: LiveAgent, times: int) -> None:
    """Return once Envoy was replaced so often, and the one before is gone."""
    await until(lambda: len(re.findall("Envoy replaced", agent.text)) == times, lambda: agent.text[-4000:])

    async def alone() -> bool:
        return b"server.live: 1" in (await agent.ask("/stats?filter=server.live", port="proxyAdminPort")).body

    await until(alone, lambda: agent.text[-4000:])


@pytest.mark.timeout(180)
async def test_replaced_under_load(tmp_path: Path) -> None:
    """Both sidecars, twice, and once with a binary that is none: no request fails, configuration goes on arriving."""
    binary = envoy_binary()
    assert binary is not None
    config = {"drainDuration": "1s"}
    link = tmp_path / "envoy"
    link.symlink_to(binary)
    args = ("--binary-path", str(link))
    env = {"ENVOY_HOT_RESTART": "true"}
    async with AsyncExitStack() as stack:
        mesh, backend, out = await stack.enter_async_context(prepared(tmp_path, CASES / "two-workloads.yaml"))
        discovery = await stack.enter_async_context(mesh.discovery())
        pair = workloads(mesh, backend, out)
        agents = [
            await stack.enter_async_context(place.running(discovery, env, config=config, args=args))
            for place in (pair.caller, pair.api)
        ]
        await serves(pair, *agents)
        backend.delay(0.02)
        load = Load(pair.out, host=pair.host, rate=200)
        async with beside(load.run()):
            await load.more(100)
            point(link, Path("/bin/false"))
            for agent in agents:
                agent.signal(signal.SIGHUP)
                await agent.said("Envoy is not replaced; the running one goes on.*the new binary does not run")
            point(link, binary)
            for times in (1, 2):
                for agent in agents:
                    agent.signal(signal.SIGHUP)
                for agent in agents:
                    await replaced(agent, times)
                    assert (await agent.ask("/healthz/ready")).status == 200
                await load.more(1400)  # the one before ends six seconds after its successor serves
            discovery.write("route.yaml", EDITED)

            async def edited() -> bool:
                await call(pair.out, host=pair.host)
                return backend.asked[-1].header("x-seen") == "1"

            await until(edited, lambda: agents[0].text[-4000:])
        assert not load.failures, (load.failures[:5], len(load.failures), load.done)
        assert len(await discovery.debug("syncz")) == 2
        for agent in agents:
            assert "Envoy opened a second stream" not in agent.text
            agent.signal(signal.SIGTERM)
            assert (await agent.wait()).code == 0
            left = [path.name for path in (agent.directory / "etc/istio/proxy").iterdir()]
            assert left == [], left


LIAR = """#!/bin/sh
case "$*" in *--hot-restart-version*|*validate*) exec {binary} "$@";; esac
exit 1
"""


@pytest.mark.timeout(180)
async def test_a_successor_that_dies(tmp_path: Path) -> None:
    """Whatever was checked before: the running one goes on, with traffic and with configuration."""
    link = tmp_path / "envoy"
    link.symlink_to(envoy_binary() or "")
    liar = tmp_path / "liar"
    liar.write_text(LIAR.format(binary=envoy_binary()))
    liar.chmod(0o755)
    async with AsyncExitStack() as stack:
        mesh, backend, out = await stack.enter_async_context(prepared(tmp_path, CASES / "two-workloads.yaml"))
        discovery = await stack.enter_async_context(mesh.discovery())
        pair = workloads(mesh, backend, out)
        env, args = {"ENVOY_HOT_RESTART": "true"}, ("--binary-path", str(link))
        caller = await stack.enter_async_context(pair.caller.running(discovery, env, args=args))
        api = await stack.enter_async_context(pair.api.running(discovery))
        await serves(pair, caller, api)
        point(link, liar)
        caller.signal(signal.SIGHUP)
        await caller.said("Envoy is not replaced; the running one goes on.*it ended before it served")
        discovery.write("route.yaml", EDITED)

        async def edited() -> bool:
            assert (await call(pair.out, host=pair.host)).status == 200
            return backend.asked[-1].header("x-seen") == "1"

        await until(edited, lambda: caller.text[-4000:])
        assert (await caller.ask("/healthz/ready")).status == 200
