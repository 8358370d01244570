"""The control plane on an API server: what it is told to read, and when it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from discovery.auth.review_cache import CacheLimits
from discovery.cluster import Cluster, left_to_others, open_cluster
from discovery.engine import Database
from discovery.kube.election import LeaseTimes
from discovery.kube.errors import AccessError
from discovery.kube.timing import Timing
from discovery.runtime.readiness import Readiness
from discovery.runtime.supervise import run_all
from discovery.schema.kinds import GATEWAY_API, KINDS
from discovery.schema.meta import Kind, ObjectKey
from discovery.settings import FLAGS, Settings, load_settings
from discovery.store.cells import MESH
from discovery.store.state import Store
from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_cluster import service


def settings(kubeconfig: Path | str, environ: dict[str, str] | None = None, **flags: str) -> Settings:
    given = {flag.field: flag.default for flag in FLAGS} | {"kubeconfig": str(kubeconfig)} | flags
    return load_settings(given, environ or {})


class Parts:
    """A cluster's parts at work."""

    def __init__(self) -> None:
        self.store = Store(Database())
        self.readiness = Readiness()
        self.warmed = 0

    def warm(self) -> None:
        self.warmed += 1

    @asynccontextmanager
    async def running(self, wanted: Settings) -> AsyncIterator[Cluster]:
        cluster = await open_cluster(wanted, self.store, self.readiness, Timing())
        try:
            await cluster.load_mesh()
            until = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(run_all(cluster.services(self.warm), until=until))
                yield cluster
                until.set()
        finally:
            await cluster.close()


async def test_ready_only_after_everything_was_read(kube_api: KubeApi) -> None:
    """The mesh configuration first, then objects, then the warm-up; then nothing stands against readiness."""
    place = await kube_api.new_namespace()
    parts = Parts()

    def mesh(text: str) -> dict[str, Any]:
        metadata = {"name": "istio-canary", "namespace": place}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mesh": text}}

    await kube_api.apply(mesh("trustDomain: example.org"), service("a", place))
    async with parts.running(settings(kube_api.kubeconfig, {"REVISION": "canary"}, namespace=place)):
        assert MESH(parts.store.db, None).trust_domain == "example.org"
        assert parts.readiness.reasons == ("cluster not read yet",)
        await eventually(lambda: parts.readiness.ready)
        assert parts.warmed == 1
        assert ObjectKey(Kind.SERVICE, place, "a") in parts.store.objects
        await kube_api.apply(mesh("discoverySelectors: [{matchLabels: {no: such}}]"))
        await eventually(lambda: ObjectKey(Kind.SERVICE, place, "a") not in parts.store.objects)


def test_the_page_tells_the_times_that_hold() -> None:
    """Elections, remembered answers, requests."""
    page = " ".join((Path(__file__).parents[2] / "docs" / "reference" / "cluster.md").read_text("utf-8").split())
    times, limits = LeaseTimes(), CacheLimits()
    assert f"a fifth of the {times.lease_s} s" in page
    assert (times.renew_s, times.keep_s) == (times.lease_s / 5, 9.0)
    assert "not succeeded for nine of them" in page
    assert "An answer counts for a minute" in page
    assert limits.accepted_s == 60
    assert f"a refusal for {limits.refused_s:g} s" in page
    defaults = {flag.field: flag.default for flag in FLAGS}
    wanted = f"{defaults['kubernetesApiQPS']} a second, {defaults['kubernetesApiBurst']} at once"
    assert f"limited to {wanted}" in page


def test_the_page_tells_the_versions_that_are_read() -> None:
    """Of each kind of the Gateway API, the best one first."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "cluster.md").read_text("utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.partition("## The Gateway API")[2].splitlines()]
    told = {name: row[1] for row in rows if len(row) == 2 for name in row[0].split(", ")}
    wanted = {KINDS[kind].name: ", ".join(KINDS[kind].versions) for kind in GATEWAY_API}
    assert {name: told.get(name) for name in wanted} == wanted


async def test_a_kubeconfig_that_is_missing_is_said() -> None:
    """Before anything is bound."""
    with pytest.raises(AccessError, match="does not exist"):
        await open_cluster(settings("/no/such/kubeconfig"), Store(Database()), Readiness(), Timing())


def test_what_a_directory_has_no_say_in(tmp_path: Path) -> None:
    """What runs is the cluster's to tell if there is one, else the two would overwrite each other."""
    alone, beside = settings("", configDir=str(tmp_path)), settings("/kubeconfig", configDir=str(tmp_path))
    assert left_to_others(alone) == frozenset()
    assert Kind.SERVICE in left_to_others(beside)
    assert not left_to_others(beside) & {Kind.VIRTUAL_SERVICE, Kind.HTTP_ROUTE}


def test_the_gateway_api_may_be_turned_off(tmp_path: Path) -> None:
    """Then neither a directory nor a cluster tells of it."""
    off = settings("", {"PILOT_ENABLE_GATEWAY_API": "false"}, configDir=str(tmp_path))
    assert left_to_others(off) >= {Kind.HTTP_ROUTE, Kind.KUBERNETES_GATEWAY}
    assert Kind.GATEWAY not in left_to_others(off)
