"""Replicas as processes of their own: the one that writes is killed or stopped, another one writes, never both."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import Json, KubeApi
from tests.kit.live import Program, program
from tests.kube.fixture import REAL

pytestmark = [pytest.mark.kube, pytest.mark.timeout(120)]

_NAMES: Final = ("one", "two")
_LEASE: Final = "istio-namespace-controller-election"
_LEASE_S: Final = 15
_BUSY_S: Final = 3  # of a machine that does something else
_MAP: Final = "istio-ca-root-cert"
_WRITE: Final = ("patch", "configmaps")


class Pair:
    """Two control planes of a mesh of its own, which is the namespaces with its label."""

    def __init__(self, api: KubeApi, system: str, calls: Callable[[], list[tuple[str, str, str]]]) -> None:
        self._api = api
        self._system = system
        self._calls = calls
        self.replicas: dict[str, Program] = {}

    async def holder(self) -> str:
        """The name of the replica that holds the lease, empty if none does."""
        lease = await self._api.get("coordination.k8s.io/v1", "Lease", _LEASE, self._system)
        holder = (lease or {}).get("spec", {}).get("holderIdentity", "")
        return str(holder).partition("_")[0]

    async def new_namespace(self, *, selected: bool = True) -> str:
        """Something to write."""
        return await self._api.new_namespace(labels={"mesh": self._system} if selected else {})

    async def has_map(self, namespace: str) -> bool:
        return await self._api.get("v1", "ConfigMap", _MAP, namespace) is not None

    async def written(self, count: int = 1, *, within_s: float = 10) -> None:
        """Make so many namespaces, and wait for what belongs into each."""
        for _ in range(count):
            namespace = await self.new_namespace()
            await eventually(lambda namespace=namespace: self.has_map(namespace), within_s=within_s)

    def writers(self) -> list[str]:
        """Who wrote root certificates with success, each once in a row, in the API server's order."""
        wrote = [user.rpartition(":")[2] for user, verb, resource in self._calls() if (verb, resource) == _WRITE]
        return [user for user, _ in groupby(user for user in wrote if user in _NAMES)]


def _calls(request: pytest.FixtureRequest, api: KubeApi, system: str) -> Callable[[], list[tuple[str, str, str]]]:
    """User, verb and resource of every call of our replicas that was answered with success."""
    prefix = f"system:serviceaccount:{system}:"
    if request.config.getoption("--kube") != REAL:
        return lambda: [
            (call.user, call.verb, call.resource)
            for call in api.requests
            if call.user.startswith(prefix) and call.status < 300
        ]
    plane = request.getfixturevalue("control_plane")

    def audited() -> list[tuple[str, str, str]]:
        return [
            (call["user"]["username"], call["verb"], call["objectRef"]["resource"])
            for call in plane.calls()
            if call["user"].get("username", "").startswith(prefix)
            and call.get("objectRef")
            and call["responseStatus"].get("code", 500) < 300
        ]

    return audited


def _mesh(system: str) -> Json:
    text = f"discoverySelectors: [{{matchLabels: {{mesh: {system}}}}}]"
    metadata = {"name": "istio", "namespace": system}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mesh": text}}


def _administrators(system: str) -> Json:
    subjects = [{"kind": "ServiceAccount", "name": name, "namespace": system} for name in _NAMES]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": system},
        "roleRef": role,
        "subjects": subjects,
    }


@pytest.fixture
async def pair(request: pytest.FixtureRequest, kube_api: KubeApi, tmp_path: Path) -> AsyncIterator[Pair]:
    """Two replicas, ready, of which one leads."""
    system = await kube_api.new_namespace()
    await kube_api.apply(_mesh(system), _administrators(system))
    made = Pair(kube_api, system, _calls(request, kube_api, system))
    async with AsyncExitStack() as stack:
        for name in _NAMES:
            token = await kube_api.token_for(system, name)
            kubeconfig = kube_api.write_kubeconfig(tmp_path / f"{name}.yaml", token)
            off: tuple[Any, ...] = ("--secureGRPCAddr", "", "--httpAddr", "", "--httpsAddr", "", "--grpcAddr", "")
            argv = (
                *(sys.executable, "-m", "discovery", "discovery", "--kubeconfig", str(kubeconfig)),
                *("--namespace", system, "--monitoringAddr", "127.0.0.1:0", *off),
            )
            environ = {"POD_NAME": name, "ROOT_CA_DIR": str(tmp_path / "none")}
            made.replicas[name] = await stack.enter_async_context(program(name, argv, cwd=tmp_path, env=environ))
        for replica in made.replicas.values():
            await replica.said(r"^\[info\s*\] ready\b")
        await eventually(lambda: _leads(made))
        yield made
    await kube_api.delete(_administrators(system))


async def _leads(pair: Pair) -> bool:
    return bool(await pair.holder())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
async def test_the_other_one_writes_within_the_lease_time(
    pair: Pair, how: signal.Signals, request: pytest.FixtureRequest
) -> None:
    """Whether the leader dies or only stands still; one that goes on later notices that its time is over."""
    await pair.written(3)
    first = await pair.holder()
    assert pair.writers() == [first]
    [other] = [name for name in _NAMES if name != first]
    pair.replicas[first].signal(how)
    loop = asyncio.get_running_loop()
    struck_at = loop.time()
    await pair.written(1, within_s=_LEASE_S + _BUSY_S)
    request.node.user_properties.append(("takeover_s", round(loop.time() - struck_at, 2)))
    assert await pair.holder() == other
    if how is signal.SIGSTOP:
        pair.replicas[first].signal(signal.SIGCONT)
        await pair.replicas[first].said(rf"no longer leading.*{_LEASE}", within_s=_LEASE_S)
    await pair.written(3)
    assert pair.writers() == [first, other]
    assert await pair.holder() == other


async def test_nothing_is_written_outside_of_the_mesh(pair: Pair) -> None:
    """Namespaces that `discoverySelectors` leave out get no roots, also when they were made first."""
    outside = await pair.new_namespace(selected=False)
    await pair.written(2)
    assert not await pair.has_map(outside)


async def test_an_orderly_end_lets_the_lease_go(pair: Pair) -> None:
    """The other one need not wait for it to run out."""
    first = await pair.holder()
    [other] = [name for name in _NAMES if name != first]
    await pair.written(1)
    pair.replicas[first].signal(signal.SIGTERM)
    assert (await pair.replicas[first].wait()).code == 0
    loop = asyncio.get_running_loop()
    ended_at = loop.time()
    await pair.written(1)
    assert await pair.holder() == other
    assert loop.time() - ended_at < _LEASE_S / 2
    assert pair.writers() == [first, other]
