"""Clients of ours for the API server of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

from discovery.kube.client import KubeClient, connect
from discovery.kube.config import KubeConfig
from discovery.kube.lease import Fence
from discovery.runtime.clock import SystemClock
from tests.kit.kube_api.handle import KubeApi

__all__ = ["FixedNamespaces", "as_user", "client_of", "lasting_fence", "running"]


@asynccontextmanager
async def client_of(api: KubeApi, kubeconfig: Path | None = None) -> AsyncIterator[KubeClient]:
    """A client; as the administrator unless another kubeconfig is given."""
    client = await connect(KubeConfig(kubeconfig=str(kubeconfig or api.kubeconfig), timeout_s=10.0))
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def as_user(api: KubeApi, folder: Path, name: str) -> AsyncIterator[KubeClient]:
    """A client with its own name in the double's log, and every right."""
    api.double.add_user(f"token-of-{name}", name, "system:masters")
    async with client_of(api, api.write_kubeconfig(folder / f"{name}.yaml", f"token-of-{name}")) as client:
        yield client


def lasting_fence() -> Fence:
    """For tests that are not about losing."""
    clock = SystemClock()
    fence = Fence(clock)
    fence.extend(clock.monotonic() + 600)
    return fence


class FixedNamespaces:
    """Namespaces as a test sets them."""

    def __init__(self, *names: str) -> None:
        self._names = set(names)
        self._calls: list[Callable[[list[str]], None]] = []

    def names(self) -> frozenset[str]:
        """Those that are there."""
        return frozenset(self._names)

    def subscribe(self, call: Callable[[list[str]], None]) -> Callable[[], None]:
        """Have changes told."""
        self._calls.append(call)
        return lambda: self._calls.remove(call)

    def add(self, name: str) -> None:
        """One comes."""
        self._names.add(name)
        for call in self._calls:
            call([name])

    def remove(self, name: str) -> None:
        """One goes."""
        self._names.discard(name)
        for call in self._calls:
            call([name])


@asynccontextmanager
async def running(*parts: Callable[[], Coroutine[None, None, None]]) -> AsyncIterator[None]:
    """Coroutine functions run beside the test, and are cancelled with it."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part()) for part in parts]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
