"""A real API server that dies and comes back, under a control plane that goes on."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from discovery.runtime.http_client import TcpTarget, fetch
from discovery.wire.type_urls import CLUSTER, ENDPOINT
from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_cluster import crds, endpoint_slice, namespace, service
from tests.kit.live import Program, program
from tests.kit.xds_clients import DeltaClient
from tests.kit.xds_live import AdsStream
from tests.kube.server import ControlPlane, running_control_plane

pytestmark = [pytest.mark.kube, pytest.mark.timeout(120)]

_SERVICES: Final = 4
_OFF: Final = ("--secureGRPCAddr", "", "--httpAddr", "", "--httpsAddr", "")


@pytest.fixture
def own(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """An API server that no other test needs, beside the one of all others."""
    with running_control_plane() as running:
        assert running.address.url != control_plane.address.url
        yield running
        running.kill_server()  # it would wait for the controllers to leave


def _name(number: int) -> str:
    return f"outbound|80||web-{number}.shop.svc.cluster.local"


def _service(number: int) -> dict[str, Any]:
    """Without a selector, so that controllers make no slices."""
    document = service(f"web-{number}", "shop")
    del document["spec"]["selector"]
    return document


def _slice(number: int, *more: str) -> dict[str, Any]:
    return endpoint_slice(f"web-{number}", "shop", [f"10.1.{number}.1", *more])


def _port(discovery: Program, what: str) -> int:
    for line in discovery.log:
        found = re.search(rf"listening .*what='?{what}'? port=(\d+)", line)
        if found is not None:
            return int(found[1])
    raise AssertionError(discovery.text)


def _sent(client: DeltaClient) -> Counter[str]:
    """How often each resource was sent; a removal counts under its name with a minus."""
    found: Counter[str] = Counter()
    for response in client.responses:
        short = response.type_url.rpartition(".")[2]
        found.update(f"{short} {entry.name}" for entry in response.resources)
        found.update(f"-{short} {name}" for name in response.removed_resources)
    return found


async def test_what_was_read_is_served_and_nothing_is_pushed_twice(own: ControlPlane, tmp_path: Path) -> None:
    """SIGKILL of kube-apiserver: proxies that come while it is away are served, the control plane stays ready; after
    its return each change arrives once, and what did not change is not sent again.
    """
    async with KubeApi(own.address) as api:
        await api.apply(*crds("virtualservices"), namespace("istio-system"), namespace("shop"))
        for number in range(_SERVICES):
            await api.apply(_service(number), _slice(number))
        argv = (
            *(sys.executable, "-m", "discovery", "discovery", "--kubeconfig", str(own.address.kubeconfig), *_OFF),
            *("--grpcAddr", "127.0.0.1:0", "--monitoringAddr", "127.0.0.1:0"),
        )
        async with program("discovery", argv, cwd=tmp_path, env={"ROOT_CA_DIR": str(tmp_path / "none")}) as discovery:
            await discovery.said(r"^\[info\s*\] ready\b")
            target, client = f"127.0.0.1:{_port(discovery, 'grpc')}", DeltaClient()
            async with AdsStream(target, client) as stream:
                names = [_name(number) for number in range(_SERVICES + 1)]
                await stream.send(client.subscribe(CLUSTER), client.subscribe(ENDPOINT, names))
                await stream.until(lambda: all(client.values(ENDPOINT).get(name) for name in names[:_SERVICES]))
                client.responses.clear()

                own.kill_server()
                await discovery.said("API server does not answer")
                late = DeltaClient()
                async with AdsStream(target, late) as other:
                    await other.send(late.subscribe(CLUSTER), late.subscribe(ENDPOINT, names))
                    await other.until(lambda: late.values(ENDPOINT) == client.values(ENDPOINT))
                    assert late.values(CLUSTER) == client.values(CLUSTER)
                monitoring = TcpTarget("127.0.0.1", _port(discovery, "monitoring"))
                assert (await fetch(monitoring, "/ready", timeout_s=5)).status == 200

                own.start_server()
                await api.apply(_slice(0, "10.1.0.9"), _service(_SERVICES))
                await api.delete(_service(1))
                await stream.until(lambda: b"10.1.0.9" in client.values(ENDPOINT)[_name(0)])
                await stream.until(lambda: _name(_SERVICES) in client.values(CLUSTER))
                await stream.until(lambda: _name(1) not in client.values(CLUSTER))
                await eventually(lambda: discovery.count("API server answers again") > 0, within_s=40)
                await api.apply(_slice(2, "10.1.2.9"))
                await stream.until(lambda: b"10.1.2.9" in client.values(ENDPOINT)[_name(2)])
                sent = _sent(client)
                touched = {f"{sign}ClusterLoadAssignment {_name(n)}" for sign in ("", "-") for n in (1, _SERVICES)}
                assert {name: count for name, count in sent.items() if name not in touched} == {
                    f"ClusterLoadAssignment {_name(0)}": 1,
                    f"ClusterLoadAssignment {_name(2)}": 1,
                    f"Cluster {_name(_SERVICES)}": 1,
                    f"-Cluster {_name(1)}": 1,
                }
                assert all(sent[name] <= 1 for name in touched)
