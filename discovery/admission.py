"""The webhooks wired: their configuration, what they know of the mesh and the cluster, and the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from prometheus_client import CollectorRegistry

from discovery.kube.client import KubeClient
from discovery.kube.timing import Timing
from discovery.runtime.readiness import Readiness
from discovery.runtime.supervise import Service
from discovery.schema.findings import Finding
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Kind, Object, ObjectKey
from discovery.settings import Settings
from discovery.sources.injector_config import InjectorConfigMap, InjectorFiles, injector_config_map
from discovery.store.cells import MESH
from discovery.store.state import Store, StoreCommit
from discovery.trust import SERVING_TTL, Trust
from discovery.webhooks.injecting import InjectSettings, PodInjector
from discovery.webhooks.injector_config import LiveInjectorConfig
from discovery.webhooks.metrics import WebhookMetrics
from discovery.webhooks.server import WebhookContent, WebhookServer, build_webhooks
from discovery.webhooks.tls import ServingTls

__all__ = ["INJECTOR_FILES", "Admission", "StoreSurroundings"]

INJECTOR_FILES: Final = Path("./var/lib/istio/inject")
_UNKNOWN: Final = "injector configuration not read yet"


class StoreSurroundings:
    """What injection depends on, from the store. Kept at hand, for a store of many objects is slow to search."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kubelets: Mapping[str, str] | None = None
        self._configs: tuple[Object, ...] | None = None
        store.subscribe(self._on_commit)

    @property
    def mesh(self) -> MeshConfig:
        """The mesh's configuration."""
        return MESH(self._store.db, None)

    def proxy_configs(self) -> Iterable[Object]:
        """All ProxyConfig objects."""
        if self._configs is None:
            self._configs = tuple(self._all(Kind.PROXY_CONFIG))
        return self._configs

    def kubelets(self) -> Mapping[str, str]:
        """The version of each node's kubelet."""
        if self._kubelets is None:
            self._kubelets = {obj.name: obj.spec.status.node_info.kubelet_version for obj in self._all(Kind.NODE)}
        return self._kubelets

    def namespace_annotations(self, namespace: str) -> Mapping[str, str]:
        """The annotations of a namespace; none if it is not known."""
        found = self._store.objects.get(ObjectKey(Kind.NAMESPACE, "", namespace))
        return found.meta.annotations if found is not None else {}

    def _all(self, kind: Kind) -> Iterable[Object]:
        return (obj for key, obj in self._store.objects.items() if key.kind is kind)

    def _on_commit(self, commit: StoreCommit) -> None:
        if Kind.NODE in commit.kinds:
            self._kubelets = None
        if Kind.PROXY_CONFIG in commit.kinds:
            self._configs = None


class Admission:
    """The webhooks of one control plane.

    Args:
        client: of the cluster whose ConfigMap has the injector's configuration; None: files have it.
        files: a directory that has it, if it is there; it goes before the ConfigMap.
    """

    def __init__(  # noqa: PLR0913 - it joins what the composition has
        self,
        settings: Settings,
        store: Store,
        trust: Trust,
        readiness: Readiness,
        *,
        registry: CollectorRegistry,
        timing: Timing,
        client: KubeClient | None = None,
        files: Path = INJECTOR_FILES,
    ) -> None:
        self._settings = settings
        self._trust = trust
        self._timing = timing
        self._readiness = readiness
        metrics = WebhookMetrics(registry)
        self._live = LiveInjectorConfig(metrics.config_rejected.inc)
        injector = PodInjector(
            lambda: self._live.current,
            StoreSurroundings(store),
            InjectSettings(
                revision=settings.revision,
                native=settings.admission.native,
                openshift=settings.admission.openshift,
                compliance_policy=settings.admission.compliance_policy,
                environ=settings.admission.environ,
            ),
        )
        self._content = WebhookContent(injector, metrics, timing.clock, self._problems)
        self._source = self._configuration(client, files)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the injector's configuration."""
        return self._live.findings if self._source is not None else ()

    def _configuration(self, client: KubeClient | None, files: Path) -> InjectorConfigMap | InjectorFiles | None:
        settings = self._settings
        if not settings.admission.inject:
            return None
        if client is None or files.is_dir():
            return InjectorFiles(files, self._live)
        name = injector_config_map(settings.revision)
        return InjectorConfigMap(client, self._live, self._timing, namespace=settings.namespace, name=name)

    def _problems(self) -> tuple[str, ...]:
        return () if self._live.current is not None else tuple(map(str, self.findings))

    def services(self) -> list[Service]:
        """What to run; none where there is no address to serve at."""
        address = self._settings.https
        if address is None:
            return []
        tls = ServingTls(self._trust.serving_certificate)
        server = WebhookServer(
            address.host,
            address.port,
            build_webhooks(self._content),
            tls,
            self._timing.clock,
            renew_s=SERVING_TTL.total_seconds() / 2,
        )
        self._trust.roots.on_change(server.renew)
        source = self._source
        return [server] if source is None else [source, _Gate(source, self._readiness), server]


class _Gate:
    """A control plane is not ready before it knows how to inject: the replica that it would replace may know better."""

    name = "first look at the injector configuration"

    def __init__(self, source: InjectorConfigMap | InjectorFiles, readiness: Readiness) -> None:
        self._source = source
        self._readiness = readiness

    async def __aenter__(self) -> Self:
        self._readiness.block(_UNKNOWN)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    async def run(self) -> None:
        """Wait until it is known; then for the end."""
        await self._source.synced.wait()
        self._readiness.release(_UNKNOWN)
        await asyncio.Event().wait()
