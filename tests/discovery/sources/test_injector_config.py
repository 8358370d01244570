"""Where the injector's configuration comes from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from discovery.kube.client import connect
from discovery.kube.config import KubeConfig
from discovery.kube.timing import Timing
from discovery.runtime.supervise import Service, run_all
from discovery.sources.injector_config import InjectorConfigMap, InjectorFiles, injector_config_map
from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import KubeApi


class Sink:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str] | None] = []
        self.where = ""

    def update(self, config: str, values: str, where: str) -> None:
        self.told.append((config, values))
        self.where = where

    def gone(self, where: str) -> None:
        self.told.append(None)
        self.where = where

    @property
    def now(self) -> tuple[str, str] | None:
        """What it was told last."""
        return self.told[-1] if self.told else ("never", "told")


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    """A service at work."""
    until = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_all([service], until=until))
        yield
        until.set()


def test_names_by_revision() -> None:
    """As the chart names it."""
    names = [injector_config_map(revision) for revision in ("", "default", "canary")]
    assert names == ["istio-sidecar-injector", "istio-sidecar-injector", "istio-sidecar-injector-canary"]


async def test_the_config_map_is_followed(kube_api: KubeApi) -> None:
    """Absent, made, changed and deleted."""
    place = await kube_api.new_namespace()
    sink = Sink()
    client = await connect(KubeConfig(kubeconfig=str(kube_api.kubeconfig)))
    source = InjectorConfigMap(client, sink, Timing(), namespace=place, name="inj")
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "inj", "namespace": place}}
    async with running(source):
        await source.synced.wait()
        await eventually(lambda: sink.now is None)
        await kube_api.apply({**config_map, "data": {"config": "a", "values": "b"}})
        await eventually(lambda: sink.now == ("a", "b"))
        await kube_api.apply({**config_map, "data": {"config": "c", "values": "b"}})
        await eventually(lambda: sink.now == ("c", "b"))
        await kube_api.apply({**config_map, "metadata": {"name": "other", "namespace": place}, "data": {"config": "x"}})
        await kube_api.delete({**config_map})
        await eventually(lambda: sink.now is None)
    assert sink.where == f"ConfigMap {place}/inj"
    assert ("x", "{}") not in sink.told
    await client.close()


async def test_files_are_followed(tmp_path: Path) -> None:
    """Also as a volume has them: links that are switched all at once."""
    sink = Sink()
    directory = tmp_path / "inject"
    async with running(InjectorFiles(directory, sink)):
        await eventually(lambda: sink.now is None)
        for version in ("one", "two"):
            content = tmp_path / version
            content.mkdir()
            (content / "config").write_text(version)
            (content / "values").write_text("{}")
            link = tmp_path / "link"
            link.symlink_to(content)
            link.replace(directory)
            await eventually(lambda version=version: sink.now == (version, "{}"))
        (directory / "config").write_text("three")
        await eventually(lambda: sink.now == ("three", "{}"))
        (directory / "values").unlink()
        await eventually(lambda: sink.now is None)
