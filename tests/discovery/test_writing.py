"""Replicas of a control plane at one API server: who writes, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import groupby
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from discovery.ca.secret import encode_ca_secret
from discovery.ca.secret_roots import SecretRoots
from discovery.engine import Database
from discovery.kube.election import LeaseTimes
from discovery.kube.lease import LeaseElector
from discovery.kube.timing import Timing
from discovery.runtime.clock import SystemClock
from discovery.runtime.supervise import Service
from discovery.schema.kubernetes import Namespace
from discovery.schema.meta import Kind, Object, ObjectKey, ObjectMeta
from discovery.settings import FLAGS, Settings, load_settings
from discovery.store.state import ObjectChange, Store
from discovery.trust import Trust
from discovery.writing import CLUSTER_LEASE, Writing, open_authority, revision_lease
from tests.kit.certs import TRUST_DOMAIN, root_ca
from tests.kit.eventually import eventually
from tests.kit.kube_api.handle import KubeApi
from tests.kit.kube_clients import as_user

TIMES = LeaseTimes(lease_s=2)
ROOT_MAP = "istio-ca-root-cert"


def settings_of(api: KubeApi, kubeconfig: Path, namespace: str, **variables: str) -> Settings:
    flags = {flag.field: flag.default for flag in FLAGS} | {"kubeconfig": str(kubeconfig), "namespace": namespace}
    environ = {"ROOT_CA_DIR": str(kubeconfig.parent / "no-such-directory"), "POD_NAME": kubeconfig.stem, **variables}
    return load_settings(flags, environ)


class Replica:
    """The writing half of a control plane."""

    def __init__(self, name: str, store: Store, authority: SecretRoots | None, writing: Writing) -> None:
        self.name = name
        self.store = store
        self.authority = authority
        self.writing = writing
        self.services: list[Service] = []
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, group: asyncio.TaskGroup) -> None:
        self._tasks = [
            group.create_task(service.run(), name=f"{self.name}: {service.name}") for service in self.services
        ]

    async def stop(self) -> None:
        """End all tasks and wait for them; the lease is not let go, as when a process is killed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def see(self, namespace: str) -> None:
        key = ObjectKey(Kind.NAMESPACE, "", namespace)
        obj = Object(key=key, meta=ObjectMeta(name=namespace), spec=Namespace())
        self.store.apply([ObjectChange(key, obj)])


@asynccontextmanager
async def replicas(
    api: KubeApi, folder: Path, namespace: str, *names: str, **variables: str
) -> AsyncIterator[list[Replica]]:
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        made = []
        for name in names:
            client = await stack.enter_async_context(as_user(api, folder, name))
            settings = settings_of(api, folder / f"{name}.yaml", namespace, **variables)
            store, timing = Store(Database()), Timing()
            authority = await open_authority(settings, client, trust_domain=TRUST_DOMAIN, timing=timing)
            roots = authority.roots if authority is not None else None
            trust = Trust(settings, trust_domain=TRUST_DOMAIN, clock=timing.clock, roots=roots)
            writing = Writing(
                client, settings, store, trust, authority, timing=timing, registry=CollectorRegistry(), times=TIMES
            )
            stack.push_async_callback(writing.close)
            replica = Replica(name, store, authority, writing)
            replica.services = await writing.services()
            replica.begin(group)
            made.append(replica)
        yield made
        for replica in made:
            await replica.stop()


async def holder(api: KubeApi, namespace: str, lease: str = CLUSTER_LEASE) -> str:
    found = await api.get("coordination.k8s.io/v1", "Lease", lease, namespace)
    return "" if found is None else found["spec"].get("holderIdentity", "").partition("_")[0]


def writers(api: KubeApi) -> list[str]:
    """Who wrote root maps with success, each only once in a row, in the order of the API server's log."""
    writes = [r.user for r in api.requests if r.resource == "configmaps" and r.verb == "patch" and r.status < 300]
    return [user for user, _ in groupby(writes)]


async def has_map(api: KubeApi, namespace: str) -> bool:
    return await api.get("v1", "ConfigMap", ROOT_MAP, namespace) is not None


@pytest.mark.kube_double
async def test_one_replica_writes_and_another_takes_over_within_the_lease_time(
    kube_api: KubeApi, tmp_path: Path
) -> None:
    """Kill the leader while there is always something to write: never both, and the gap is shorter than the lease."""
    system = await kube_api.new_namespace()
    async with replicas(kube_api, tmp_path, system, "one", "two") as both:
        await eventually(lambda: _leads(kube_api, system))
        loop = asyncio.get_running_loop()

        async def new_work() -> str:
            name = await kube_api.new_namespace()
            for replica in both:
                replica.see(name)
            return name

        for _ in range(5):
            name = await new_work()
            await eventually(lambda name=name: has_map(kube_api, name))
        first = await holder(kube_api, system)
        assert writers(kube_api) == [first]
        [dying] = [replica for replica in both if replica.name == first]
        await dying.stop()
        killed_at = loop.time()
        name = await new_work()
        await eventually(lambda: has_map(kube_api, name))
        assert loop.time() - killed_at < TIMES.lease_s + 1  # a busy machine's second
        [other] = [replica.name for replica in both if replica.name != first]
        assert writers(kube_api) == [first, other]
        assert await holder(kube_api, system) == other


async def _leads(api: KubeApi, namespace: str) -> bool:
    return bool(await holder(api, namespace))


@pytest.mark.kube_double
async def test_leader_cut_off_from_the_api_server_writes_nothing_late(kube_api: KubeApi, tmp_path: Path) -> None:
    """Its lease runs out while the API server is away; whoever leads afterwards, no two write by turns."""
    system = await kube_api.new_namespace()
    async with replicas(kube_api, tmp_path, system, "one", "two") as both:
        name = await kube_api.new_namespace()
        for replica in both:
            replica.see(name)
        await eventually(lambda: has_map(kube_api, name))
        await kube_api.faults.stop()
        waiting = [f"late-{number}" for number in range(5)]
        for replica in both:
            for late in waiting:
                replica.see(late)
        electors = [s for replica in both for s in replica.services if isinstance(s, LeaseElector)]
        assert any(elector.leading for elector in electors)
        await eventually(lambda: not any(elector.leading for elector in electors))
        await kube_api.faults.restart()
        for late in waiting:
            await kube_api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": late}})
        for replica in both:
            for late in waiting:
                replica.store.apply([ObjectChange(ObjectKey(Kind.NAMESPACE, "", late), None)])
                replica.see(late)
        for late in waiting:
            await eventually(lambda late=late: has_map(kube_api, late), within_s=30)
    assert len(writers(kube_api)) <= 2


@pytest.mark.kube_double
async def test_shutdown_lets_both_leases_go(kube_api: KubeApi, tmp_path: Path) -> None:
    """The next one need not wait."""
    system = await kube_api.new_namespace()
    async with replicas(kube_api, tmp_path, system, "one", REVISION="canary") as [one]:
        await eventually(lambda: _leads(kube_api, system))
        assert await holder(kube_api, system, revision_lease("canary")) == "one"
        await one.stop()
        async with AsyncExitStack() as stack:  # what `run_all` does when all have ended
            for service in one.services:
                await stack.enter_async_context(service)
        assert await holder(kube_api, system) == ""
        assert await holder(kube_api, system, revision_lease("canary")) == ""


@pytest.mark.kube_double
async def test_sole_writer_needs_no_lease(kube_api: KubeApi, tmp_path: Path) -> None:
    """ENABLE_LEADER_ELECTION=false."""
    system = await kube_api.new_namespace()
    async with replicas(kube_api, tmp_path, system, "one", ENABLE_LEADER_ELECTION="false") as [one]:
        one.see(system)
        await eventually(lambda: has_map(kube_api, system))
        assert await holder(kube_api, system) == ""


@pytest.mark.kube_double
async def test_roots_in_namespaces_follow_an_operators_authority_that_comes_later(
    kube_api: KubeApi, tmp_path: Path
) -> None:
    """Made while replicas run: the leader writes both roots everywhere, and new workloads trust both."""
    system = await kube_api.new_namespace()
    async with replicas(kube_api, tmp_path, system, "one", "two") as both:
        for replica in both:
            replica.see(system)
        await eventually(lambda: has_map(kube_api, system))
        assert both[0].authority is not None
        old, new = both[0].authority.roots.current, root_ca("operator", now=SystemClock().now())
        together = msgspec.structs.replace(new, roots=new.roots + old.roots)
        body = msgspec.json.decode(encode_ca_secret(together, namespace=system, name="cacerts"))
        del body["data"]["istio-generated"]
        await kube_api.apply(body)

        async def written() -> bool:
            found = await kube_api.get("v1", "ConfigMap", ROOT_MAP, system)
            return found is not None and found["data"]["root-cert.pem"].encode() == together.roots.to_pem()

        await eventually(written)
        for replica in both:
            assert replica.authority is not None
            assert replica.authority.roots.current.certificate == new.certificate


@pytest.mark.kube_double
async def test_plugged_in_authority_leaves_the_secret_alone(kube_api: KubeApi, tmp_path: Path) -> None:
    """--caDir, or files in ROOT_CA_DIR."""
    system = await kube_api.new_namespace()
    async with as_user(kube_api, tmp_path, "one") as client:
        flags = {flag.field: flag.default for flag in FLAGS}
        flags |= {"kubeconfig": str(tmp_path / "one.yaml"), "namespace": system, "caDir": str(tmp_path / "ca")}
        settings = load_settings(flags, {})
        assert await open_authority(settings, client, trust_domain=TRUST_DOMAIN, timing=Timing()) is None
    assert await kube_api.get("v1", "Secret", "istio-ca-secret", system) is None


@pytest.mark.kube_double
async def test_a_mounted_authority_of_ours_is_looked_after_as_a_secret(kube_api: KubeApi, tmp_path: Path) -> None:
    """USE_CACERTS_FOR_SELF_SIGNED_CA, after a restart: else nobody would renew it."""
    system, mounted = await kube_api.new_namespace(), tmp_path / "mounted"
    mounted.mkdir()
    for name in ("ca-cert.pem", "ca-key.pem", "root-cert.pem"):
        (mounted / name).touch()
    async with as_user(kube_api, tmp_path, "one") as client:
        flags = {flag.field: flag.default for flag in FLAGS}
        flags |= {"kubeconfig": str(tmp_path / "one.yaml"), "namespace": system}
        environ = {"ROOT_CA_DIR": str(mounted), "USE_CACERTS_FOR_SELF_SIGNED_CA": "true"}
        settings = load_settings(flags, environ)
        assert await open_authority(settings, client, trust_domain=TRUST_DOMAIN, timing=Timing()) is None
        (mounted / "istio-generated").touch()
        assert await open_authority(settings, client, trust_domain=TRUST_DOMAIN, timing=Timing()) is not None
    assert await kube_api.get("v1", "Secret", "cacerts", system) is not None
