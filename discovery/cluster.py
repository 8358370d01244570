"""The parts of the control plane that need an API server, assembled: what is read of it, and when that is ready.

``app`` makes one ``Cluster`` if the settings name an API server, and wires it like any other part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from prometheus_client import CollectorRegistry

from discovery.kube.client import KubeClient, connect
from discovery.kube.config import KubeConfig
from discovery.kube.errors import KubeError
from discovery.kube.timing import Timing
from discovery.runtime.backoff import backoff_delays
from discovery.runtime.logs import get_logger
from discovery.runtime.readiness import Readiness
from discovery.runtime.supervise import Service
from discovery.schema.findings import Finding
from discovery.schema.kinds import GATEWAY_API
from discovery.schema.meta import Kind
from discovery.settings import Settings
from discovery.sources.kubernetes import KubernetesSettings, KubernetesSource
from discovery.sources.kubernetes_kinds import CORE, ResourceFilter
from discovery.sources.kubernetes_mesh import KubernetesMeshSource, mesh_config_map
from discovery.sources.kubernetes_metrics import ClusterMetrics
from discovery.store.cells import MESH
from discovery.store.state import Store, StoreCommit

__all__ = ["Cluster", "left_to_others", "open_cluster"]

log = get_logger("default")

_WAITING: Final = "cluster not read yet"
_PATIENCE_S: Final = 60.0
_FIRST_S: Final = 0.2
_MAX_S: Final = 5.0
_TELL_S: Final = 10.0


async def open_cluster(
    settings: Settings,
    store: Store,
    readiness: Readiness,
    timing: Timing,
    registry: CollectorRegistry | None = None,
) -> Cluster:
    """Connect to the API server that the settings name. Nothing is read yet.

    Raises:
        AccessError: the kubeconfig or the service account cannot be used.
    """
    config = KubeConfig(
        kubeconfig=settings.kubeconfig,
        environ=settings.pod_environ,
        qps=settings.kubernetes_qps,
        burst=settings.kubernetes_burst,
    )
    client = await connect(config, clock=timing.clock, sleep=timing.sleep)
    log.info("cluster", api_server=client.server, cluster=settings.cluster_id)
    return Cluster(client, settings, store, readiness, timing, ClusterMetrics(registry))


class Cluster:
    """One API server and what depends on it.

    Attributes:
        client: for whoever else talks to the API server.
        source: what is read of the cluster.
    """

    def __init__(
        self,
        client: KubeClient,
        settings: Settings,
        store: Store,
        readiness: Readiness,
        timing: Timing,
        metrics: ClusterMetrics,
    ) -> None:
        self.client = client
        self._settings = settings
        self._store = store
        self._readiness = readiness
        self._timing = timing
        self._mesh: KubernetesMeshSource | None = None
        self.source = KubernetesSource(
            client,
            store.apply,
            timing,
            settings=KubernetesSettings(
                cluster_id=settings.cluster_id,
                revision=settings.revision,
                watch_namespace=settings.watch_namespace,
                filter=ResourceFilter(
                    settings.ignored_resources, settings.included_resources, gateway_api=settings.gateway_api
                ),
                configuration=not settings.config_dir,
                runtime="Kubernetes" in settings.registries,
            ),
            selectors=lambda: MESH(store.db, None).discovery_selectors,
            metrics=metrics,
        )
        store.subscribe(self._on_commit)
        readiness.block(_WAITING)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the cluster's configuration, and with reading it."""
        return (*(self._mesh.findings if self._mesh is not None else ()), *self.source.findings)

    def services(self, on_synced: Callable[[], None]) -> list[Service]:
        """What to run; ``on_synced`` is called once, before anybody is served."""
        mesh = [self._mesh] if self._mesh is not None else []
        return [*mesh, self.source, _Gate(self.source, self._readiness, on_synced, self._timing)]

    async def load_mesh(self) -> None:
        """Read the mesh configuration from the cluster, and follow it from then on.

        Raises:
            KubeError: the API server could not be asked within a minute.
        """
        settings = self._settings
        self._mesh = KubernetesMeshSource(
            self.client,
            self._store.set_mesh,
            self._timing,
            namespace=settings.namespace,
            name=mesh_config_map(settings.revision),
            shared=settings.shared_mesh_config,
        )
        give_up_at = self._timing.clock.monotonic() + _PATIENCE_S
        for delay_s in backoff_delays(first_s=_FIRST_S, max_s=_MAX_S, chance=self._timing.chance):
            try:
                await self._mesh.load()
            except KubeError as error:
                if self._timing.clock.monotonic() >= give_up_at:
                    raise
                log.warning("mesh configuration not read; asking again", reason=str(error))
                await self._timing.sleep(delay_s)
            else:
                return

    async def close(self) -> None:
        """Close all connections."""
        await self.client.close()

    def _on_commit(self, commit: StoreCommit) -> None:
        if commit.mesh:
            self.source.reselect()


class _Gate:
    """Lets the control plane be ready once the cluster was read, and says what is missing until then."""

    name = "first look at the cluster"

    def __init__(
        self, source: KubernetesSource, readiness: Readiness, on_synced: Callable[[], None], timing: Timing
    ) -> None:
        self._source = source
        self._readiness = readiness
        self._on_synced = on_synced
        self._timing = timing

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    async def run(self) -> None:
        """Wait for the first state; then for the end."""
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._tell())
            await self._source.synced.wait()
            telling.cancel()
        self._on_synced()
        self._readiness.release(_WAITING)
        await asyncio.Event().wait()

    async def _tell(self) -> None:
        while True:
            await self._timing.sleep(_TELL_S)
            log.warning("not ready: the cluster was not read yet", waiting_for=self._source.waiting_for)


def left_to_others(settings: Settings) -> frozenset[Kind]:
    """Kinds that a directory has no say in: Services, Pods and what else runs where a cluster tells it, and kinds that
    are turned off."""
    runtime = frozenset(CORE) if settings.reads_cluster else frozenset()
    return runtime if settings.gateway_api else runtime | GATEWAY_API
