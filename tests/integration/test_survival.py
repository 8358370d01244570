"""What breaks, and what goes on: programs that are killed, tokens that have expired, roots that are wrong.

The whole path runs: pilot-discovery behind its secure port, agents with tokens, their Envoys, requests through both.
"""

from __future__ import annotations

import os
import signal
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.kit.live import LiveDiscovery, beside, until
from tests.kit.live_agent import LiveAgent
from tests.kit.live_backend import Steady, call
from tests.kit.live_mesh import prepared, serves, workloads
from tests.kit.mesh_ca import MeshCa

pytestmark = [pytest.mark.envoy]

CASES = Path(__file__).parent / "cases"

EDITED = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: api, namespace: default}
spec: {hosts: [api], http: [{headers: {request: {set: {x-seen: "1"}}}, route: [{destination: {host: api}}]}]}
"""


async def rejected_of(agent: LiveAgent) -> dict[str, int]:
    """Updates that its Envoy did not take."""
    body = (await agent.ask("/stats?usedonly&filter=update_rejected", port="proxyAdminPort")).body.decode()
    rows = (line.rpartition(": ") for line in body.splitlines())
    return {name: int(value) for name, _, value in rows if value != "0"}


async def resources_sent(discovery: LiveDiscovery) -> dict[str, int]:
    """Responses that were not empty, by type."""
    return {kind: count for kind, count in (await discovery.pushed()).items() if count}


async def subscriptions(discovery: LiveDiscovery) -> dict[str, int]:
    """Who is there, and of how many types it asked for something."""
    return {row["proxy"]: len(row["resources"]) for row in await discovery.debug("syncz")}


BOTH = {"api-0.default": 2, "caller-0.default": 5}  # clusters and listeners; endpoints, routes and virtual hosts too


@pytest.mark.timeout(120)
async def test_killed_control_plane(tmp_path: Path) -> None:
    """kill -9: no request fails, agents come back to its successor, nothing is sent again, the next edit arrives."""
    async with AsyncExitStack() as stack:
        mesh, backend, out = await stack.enter_async_context(prepared(tmp_path, CASES / "two-workloads.yaml"))
        async with mesh.discovery() as first:
            pair = workloads(mesh, backend, out)
            caller = await stack.enter_async_context(pair.caller.running(first))
            api = await stack.enter_async_context(pair.api.running(first))
            await serves(pair, caller, api)
            steady = Steady(pair.out, host=pair.host)
            await stack.enter_async_context(beside(steady.run()))
            await steady.more(5)
            first.program.signal(signal.SIGKILL)
            await first.program.wait()
        await steady.more(20)
        for agent in (caller, api):
            assert (await agent.ask("/healthz/ready")).status == 200
        async with mesh.discovery(after=first) as second:

            async def back() -> bool:
                return await subscriptions(second) == BOTH

            await until(back, lambda: f"{second.program.text}\n{caller.text}")
            await steady.more(20)
            sent = await resources_sent(second)
            assert sent == {}, sent
            second.write("route.yaml", EDITED)

            async def edited() -> bool:
                await call(pair.out, host=pair.host)
                return backend.asked[-1].header("x-seen") == "1"

            await until(edited, lambda: second.program.text)
            assert set(await resources_sent(second)) == {"vhds"}
        assert not steady.failed, (steady.failed[:5], len(steady.failed), steady.done)
        for agent in (caller, api):
            assert not await rejected_of(agent)


@pytest.mark.timeout(120)
async def test_killed_envoy(tmp_path: Path) -> None:
    """kill -9: the agent says so and ends with 0; the control plane forgets the proxy; a new agent serves again."""
    async with AsyncExitStack() as stack:
        mesh, backend, out = await stack.enter_async_context(prepared(tmp_path, CASES / "two-workloads.yaml"))
        discovery = await stack.enter_async_context(mesh.discovery())
        pair = workloads(mesh, backend, out)
        caller = await stack.enter_async_context(pair.caller.running(discovery))
        async with pair.api.running(discovery) as api:
            await serves(pair, caller, api)
            os.kill(await api.envoy_pid(), signal.SIGKILL)
            assert (await api.wait()).code == 0
            assert "Envoy exited with error" in api.text
        await discovery.program.said(r"proxy disconnected .*proxy=api-0")
        api = await stack.enter_async_context(pair.api.running(discovery))
        await serves(pair, caller, api)


@pytest.mark.timeout(120)
async def test_expired_token(tmp_path: Path) -> None:
    """Both sides say what is wrong, no configuration is given; a fresh token in the file is enough."""
    async with AsyncExitStack() as stack:
        mesh, backend, out = await stack.enter_async_context(prepared(tmp_path, CASES / "two-workloads.yaml"))
        discovery = await stack.enter_async_context(mesh.discovery())
        pair = workloads(mesh, backend, out)
        pair.api.mount_token(age=timedelta(hours=2))
        api = await stack.enter_async_context(pair.api.running(discovery))
        refused = await discovery.program.said(r"caller refused.*reason=(.*)")
        assert "expired" in refused[1]
        await until(lambda: "check that the token" in api.text, lambda: api.text)
        assert (await api.ask("/healthz/ready")).status == 503
        assert await subscriptions(discovery) == {}
        pair.api.mount_token()
        await api.until("/healthz/ready", 200)
        assert set(await subscriptions(discovery)) == {"api-0.default"}
        assert pair.mesh.token("api") not in api.text + discovery.program.text


@pytest.mark.timeout(120)
async def test_wrong_root(tmp_path: Path) -> None:
    """The agent does not talk to whom it cannot verify, and says which file to look at; the right root is enough."""
    async with AsyncExitStack() as stack:
        mesh, backend, out = await stack.enter_async_context(prepared(tmp_path, CASES / "two-workloads.yaml"))
        discovery = await stack.enter_async_context(mesh.discovery())
        pair = workloads(mesh, backend, out)
        pair.api.trust(_stranger())
        api = await stack.enter_async_context(pair.api.running(discovery))
        await until(
            lambda: "is not signed by a root in ./var/run/secrets/istio/root-cert.pem" in api.text, lambda: api.text
        )
        assert (await api.ask("/healthz/ready")).status == 503
        assert not discovery.program.count("proxy connected")
        pair.api.trust(mesh.root)
        await api.until("/healthz/ready", 200)


def _stranger() -> bytes:
    return MeshCa(datetime.now(UTC)).root_pem
