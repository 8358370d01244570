"""`python -m tests.kube.kubelet FILE`: run a node as that file says, inside the network namespace that is the node."""

from __future__ import annotations

import asyncio
import sys
import traceback
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from discovery.runtime.clock import SystemClock
from discovery.runtime.supervise import stop_on_signals
from tests.kube.kubelet.api import Api
from tests.kube.kubelet.environment import Json
from tests.kube.kubelet.images import IMAGES, Image
from tests.kube.kubelet.node import bind_pods, heartbeat, register_node
from tests.kube.kubelet.pod import Node, PodWorker
from tests.kube.kubelet.services import NameServer, ServiceView, apply_rules, bound_socket


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What a node is told.

    Attributes:
        ip: of the node, an address of this network namespace; DNS is served there.
        url: the API server, as the kubelet calls it.
        tokens: of the users `kubelet`, `scheduler` and `proxy`.
        services: environment that tells containers where the API server is.
        images: beside those that are always there.
    """

    node: str
    ip: str
    url: str
    ca_pem: str
    tokens: dict[str, str]
    directory: str
    services: dict[str, str]
    images: dict[str, Image] = {}


class Kubelet:
    """The pods of the node."""

    def __init__(self, configuration: Configuration, api: Api) -> None:
        self._api = api
        self._clock = SystemClock()
        self._workers: dict[str, PodWorker] = {}
        self._count = 0
        self._node = Node(
            name=configuration.node,
            ip=configuration.ip,
            dns_server=configuration.ip,
            directory=Path(configuration.directory),
            images={**IMAGES, **configuration.images},
            services=configuration.services,
        )

    async def run(self) -> None:
        """Run them, for ever."""
        selector = {"fieldSelector": f"spec.nodeName={self._node.name}"}
        async with asyncio.TaskGroup() as group:
            async for changes in self._api.follow("/api/v1/pods", selector):
                for change in changes:
                    uid = change.item["metadata"]["uid"]
                    worker = self._workers.get(uid)
                    if worker is None and not change.gone:
                        self._workers[uid] = worker = self._worker(change.item)
                        group.create_task(self._run(uid, worker))
                    elif worker is not None and change.gone:
                        worker.vanish()
                    elif worker is not None:
                        worker.update(change.item)

    def _worker(self, pod: Json) -> PodWorker:
        self._count += 1
        # An address is never given twice, so nobody can confuse a pod with one that was.
        ip, name = f"10.244.{1 + self._count // 250}.{1 + self._count % 250}", f"pod{self._count}"
        return PodWorker(pod, node=self._node, api=self._api, clock=self._clock, ip=ip, interface=name)

    async def _run(self, uid: str, worker: PodWorker) -> None:
        try:
            await worker.run()
        except Exception:  # noqa: BLE001 - one pod that fails leaves the others alone
            sys.stderr.write(f"pod {worker.name}:\n{traceback.format_exc()}\n")
        finally:
            del self._workers[uid]


async def _main(configuration: Configuration) -> None:
    def user(name: str) -> Api:
        return Api(configuration.url, configuration.ca_pem.encode(), configuration.tokens[name])

    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        stop_on_signals(stop)
        kubelet, scheduler, proxy = [
            await stack.enter_async_context(user(name)) for name in ("kubelet", "scheduler", "proxy")
        ]
        clock, view = SystemClock(), ServiceView()
        await register_node(kubelet, configuration.node, configuration.ip, clock)
        loop = asyncio.get_running_loop()
        names, _ = await loop.create_datagram_endpoint(
            lambda: NameServer(view), sock=bound_socket(configuration.ip, 53)
        )
        stack.callback(names.close)
        async with asyncio.TaskGroup() as group:
            works = (
                Kubelet(configuration, kubelet).run(),
                heartbeat(kubelet, configuration.node, clock),
                bind_pods(scheduler, configuration.node),
                view.follow(proxy),
                apply_rules(view),
            )
            tasks = [group.create_task(work) for work in works]
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await stop.wait()
            for task in tasks:
                task.cancel()


if __name__ == "__main__":
    asyncio.run(_main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Configuration)))
