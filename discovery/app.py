"""The composition root: the only place that constructs the parts of the control plane and wires them together."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from prometheus_client import CollectorRegistry

from certs.errors import CertsError
from discovery.admission import Admission
from discovery.auth.caller import Listener
from discovery.auth.issuer_keys import IssuerKeys
from discovery.auth.jwks import JwksError
from discovery.ca.metrics import CaMetrics
from discovery.ca.policy import CaPolicy
from discovery.ca.secret_roots import SecretRoots
from discovery.ca.server import CertificateService
from discovery.cluster import Cluster, left_to_others, open_cluster
from discovery.controllers.workload_entries import Rules
from discovery.controllers.workload_entries_keeper import WorkloadEntryKeeper
from discovery.controllers.workload_entries_kube import ClusterEntries
from discovery.controllers.workload_entries_memory import MemoryEntries
from discovery.controllers.workload_entries_metrics import WorkloadEntryMetrics
from discovery.controllers.workload_entries_writer import EntryWriter
from discovery.debug.explain import Explainer
from discovery.debug.server import DebugContent, HttpEndpoint, build_application
from discovery.engine import Database
from discovery.front.service import Front, FrontError
from discovery.kube.errors import KubeError
from discovery.kube.timing import Timing
from discovery.replication import Replication
from discovery.runtime.clock import Clock, SystemClock
from discovery.runtime.envoy_binary import EnvoyNotFoundError, find_envoy
from discovery.runtime.logs import get_logger
from discovery.runtime.metrics import new_registry
from discovery.runtime.race import first_of
from discovery.runtime.readiness import Readiness
from discovery.runtime.supervise import Service, run_all, stop_on_signals
from discovery.schema.findings import Finding
from discovery.settings import Address, Settings
from discovery.sources.directory import ConfigDirectoryError, DirectorySource
from discovery.sources.mesh_file import MeshConfigSource
from discovery.sources.source import Source, without
from discovery.startup import STARTING, Announcement, WarmUp, warm_up
from discovery.store.cells import MESH, ClusterFacts
from discovery.store.gauges import StoreGauges
from discovery.store.state import Store
from discovery.translate.generators import MeshGenerators
from discovery.trust import Trust, issuer_keys
from discovery.trust_services import AuthorityFiles, KeepServing
from discovery.writing import Writing, node_authorizer, open_authority, token_reviewer
from discovery.xds.delivery import Deliveries
from discovery.xds.endpoint import GrpcEndpoint, GrpcSettings
from discovery.xds.metrics import XdsMetrics
from discovery.xds.server import AdsServer, AdsSettings

__all__ = ["run_discovery"]

log = get_logger("default")

_SIGNERS: Final = 2


async def run_discovery(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. Gives the exit status."""
    until = asyncio.Event()
    stop_on_signals(until)
    status = 0
    try:
        async with _Discovery(settings, SystemClock(), until) as parts:
            await run_all(parts.services, until=until)
        log.info("stopped")
    except* (ConfigDirectoryError, EnvoyNotFoundError, FrontError, CertsError, JwksError, KubeError, OSError) as failed:
        for error in _leaves(failed):
            log.error("pilot-discovery cannot go on", reason=str(error))
        status = 1
    return status


def _leaves(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


class _Discovery:
    """All parts, made in the order in which they depend on each other."""

    def __init__(self, settings: Settings, clock: Clock, until: asyncio.Event) -> None:
        self._settings = settings
        self._clock = clock
        self._until = until
        self._cluster: Cluster | None = None
        self._authority: SecretRoots | None = None
        self._writing: Writing | None = None
        self._replication: Replication | None = None
        self._admission: Admission | None = None
        self._issuer: IssuerKeys | None = None
        self._private = Path()
        self._signers = ThreadPoolExecutor(_SIGNERS, thread_name_prefix="sign")
        self.services: list[Service] = []

    async def __aenter__(self) -> Self:
        self._private = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="pilot-discovery-"))
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        return self

    async def _open(self) -> None:
        settings, clock = self._settings, self._clock
        registry, readiness = new_registry(), Readiness()
        readiness.block(STARTING)
        db = Database()
        generators = MeshGenerators()
        store = Store(
            db,
            cluster=ClusterFacts(
                domain=settings.domain,
                cluster_id=settings.cluster_id,
                has_pods=settings.reads_cluster,
                dual_stack=settings.dual_stack,
            ),
        )
        StoreGauges(db, registry)
        if settings.reads_cluster:
            self._cluster = await open_cluster(settings, store, readiness, Timing(clock), registry)
        sources = await self._sources(store)
        trust = await self._open_trust(MESH(db, None).trust_domain, registry)
        workloads = _workloads(settings, store, self._entries(store), clock, registry)
        ads = AdsServer(
            db,
            generators,
            clock=clock,
            readiness=readiness,
            authenticator=trust.gatekeeper if settings.authenticate else None,
            metrics=XdsMetrics(registry),
            workloads=workloads,
            settings=AdsSettings(
                vhds=settings.vhds,
                auto_allocate=settings.auto_allocate,
                debounce_quiet_s=settings.debounce_after.total_seconds(),
                debounce_max_s=settings.debounce_max.total_seconds(),
            ),
        )
        store.subscribe(ads.on_commit)
        ca = CertificateService(
            trust.gatekeeper,
            lambda: trust.roots.current,
            policy=CaPolicy(default_ttl=settings.default_ttl, max_ttl=settings.max_ttl),
            metrics=CaMetrics(registry, ca=lambda: trust.roots.current, clock=clock),
            clock=clock,
            executor=self._signers,
            impersonation=node_authorizer(settings, store),
        )
        content = DebugContent(
            connections=ads.connections,
            explainer=Explainer(db, generators, store.objects),
            readiness=readiness,
            registry=registry,
            findings=lambda: tuple(self._findings(sources)),
            root_namespace=settings.namespace,
            gatekeeper=trust.gatekeeper,
        )
        self.services = [
            *self._http(content),
            *sources,
            *([self._issuer] if self._issuer is not None else []),
            WarmUp(db, generators),
            *(self._cluster.services(lambda: warm_up(db, generators)) if self._cluster is not None else ()),
            *([workloads] if workloads is not None else []),
            ads,
            *self._authority_files(trust),
            *self._plaintext(ads, ca),
            *self._replicas(store, trust, ads.deliveries),
            *self._secure(ads, ca, trust),
            *await self._writers(store, trust, ads.deliveries, registry),
            *self._webhooks(store, trust, readiness, registry),
        ]
        self.services.append(Announcement(self.services, readiness))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        self._signers.shutdown(wait=False)
        if self._writing is not None:
            await self._writing.close()
        if self._cluster is not None:
            await self._cluster.close()
        await asyncio.to_thread(shutil.rmtree, self._private, ignore_errors=True)

    def _entries(self, store: Store) -> EntryWriter:
        """Where WorkloadEntries are kept: where the rest of the configuration is."""
        if self._cluster is None or self._settings.config_dir:
            return MemoryEntries(store.objects, store.apply)
        return ClusterEntries(self._cluster.client)

    async def _sources(self, store: Store) -> list[Source]:
        """Feeds of the store besides the cluster. The mesh configuration has been read: all else depends on it."""
        settings, cluster = self._settings, self._cluster
        sources: list[Source] = []
        if cluster is None or await asyncio.to_thread(os.path.exists, settings.mesh_config):
            mesh = MeshConfigSource(Path(settings.mesh_config), store.set_mesh)
            await mesh.look()
            sources.append(mesh)
        else:
            await first_of(cluster.load_mesh(), _wait(self._until))
        if settings.config_dir:
            apply = without(left_to_others(settings), store.apply)
            sources.append(DirectorySource(Path(settings.config_dir), apply))
        return sources

    async def _open_trust(self, trust_domain: str, registry: CollectorRegistry) -> Trust:
        """The authority and the authenticators; with a cluster, the Secret of the one and the token reviews of it."""
        settings, cluster, timing = self._settings, self._cluster, Timing(self._clock)
        self._issuer = issuer_keys(settings, timing=timing, registry=registry)
        if cluster is None:
            return Trust(settings, trust_domain=trust_domain, clock=self._clock, issuer=self._issuer)
        opening = open_authority(settings, cluster.client, trust_domain=trust_domain, timing=timing)
        self._authority = await first_of(opening, _wait(self._until))
        return Trust(
            settings,
            trust_domain=trust_domain,
            clock=self._clock,
            roots=self._authority.roots if self._authority is not None else None,
            reviewer=token_reviewer(
                settings, cluster.client, trust_domain=trust_domain, timing=timing, registry=registry
            ),
            issuer=self._issuer,
        )

    def _replicas(self, store: Store, trust: Trust, deliveries: Deliveries) -> list[Service]:
        """What answers other replicas, where there may be some that can show who they are."""
        if self._cluster is None or self._settings.secure_grpc is None:
            return []
        timing = Timing(self._clock)
        self._replication = Replication(self._settings, self._cluster.client, store, trust, deliveries, timing)
        return [self._replication.answering]

    async def _writers(
        self, store: Store, trust: Trust, deliveries: Deliveries, registry: CollectorRegistry
    ) -> list[Service]:
        """What writes to the cluster, where there is one and this replica leads."""
        if self._cluster is None:
            return []
        self._writing = Writing(
            self._cluster.client,
            self._settings,
            store,
            trust,
            self._authority,
            deliveries,
            self._replication.asking if self._replication is not None else None,
            timing=Timing(self._clock),
            registry=registry,
        )
        self._cluster.source.listen(self._writing.observed)
        return await self._writing.services()

    def _findings(self, sources: Iterable[Source]) -> Iterator[Finding]:
        for source in sources:
            yield from source.findings
        if self._cluster is not None:
            yield from self._cluster.findings
        if self._admission is not None:
            yield from self._admission.findings

    def _webhooks(self, store: Store, trust: Trust, readiness: Readiness, registry: CollectorRegistry) -> list[Service]:
        """Injection and validation, where there is an address for them."""
        if self._settings.https is None:
            return []
        self._admission = Admission(
            self._settings,
            store,
            trust,
            readiness,
            registry=registry,
            timing=Timing(self._clock),
            client=self._cluster.client if self._cluster is not None else None,
        )
        return self._admission.services()

    def _http(self, content: DebugContent) -> list[Service]:
        places = (("http", self._settings.http), ("monitoring", self._settings.monitoring))
        return [
            HttpEndpoint(name, address.host, address.port, build_application(content))
            for name, address in places
            if address is not None
        ]

    def _grpc_settings(self) -> GrpcSettings:
        settings = self._settings
        return GrpcSettings(
            keepalive_s=settings.keepalive_interval.total_seconds(),
            keepalive_timeout_s=settings.keepalive_timeout.total_seconds(),
            max_connection_age_s=settings.max_connection_age.total_seconds() if settings.max_connection_age else 0.0,
            drain_s=settings.shutdown.total_seconds(),
        )

    def _authority_files(self, trust: Trust) -> list[Service]:
        """Who notices an operator's authority that comes or changes later."""
        settings = self._settings
        return [AuthorityFiles(trust.roots, Path(settings.root_ca_dir), self._clock)] if settings.root_ca_dir else []

    def _plaintext(self, ads: AdsServer, ca: CertificateService) -> list[Service]:
        """xDS without TLS; the authority too, but only where there is no secure port to ask it at."""
        address = self._settings.grpc
        if address is None:
            return []
        handlers = [ads.handler(Listener.PLAINTEXT)]
        if self._settings.secure_grpc is None:
            handlers.append(ca.handler(Listener.PLAINTEXT))
        return [GrpcEndpoint("grpc", _authority(address), handlers, self._grpc_settings())]

    def _secure(self, ads: AdsServer, ca: CertificateService, trust: Trust) -> list[Service]:
        """The server behind a private socket, and the Envoy in front of it."""
        address = self._settings.secure_grpc
        if address is None:
            return []
        path = str(self._private / "server")
        handlers = [ads.handler(Listener.FRONT), ca.handler(Listener.FRONT)]
        if self._replication is not None:
            handlers.append(self._replication.answering.handler(Listener.FRONT))
        front = Front(
            binary=str(find_envoy(self._settings.binary_path)),
            host=address.host,
            port=address.port,
            upstream_path=path,
            certificate=trust.serving_certificate,
        )
        server = GrpcEndpoint("server behind the secure port", f"unix:{path}", handlers, self._grpc_settings())
        return [server, front, KeepServing(trust.roots, front, self._clock)]


def _workloads(
    settings: Settings, store: Store, writer: EntryWriter, clock: Clock, registry: CollectorRegistry
) -> WorkloadEntryKeeper | None:
    """Who registers virtual machines; None where that is switched off."""
    if not settings.register_workloads:
        return None
    rules = Rules(
        controller=settings.pod_name,
        grace=settings.workload_entry_grace,
        max_age=settings.max_connection_age,
        validate_identity=settings.validate_workload_identity,
    )
    keeper = WorkloadEntryKeeper(
        writer, store.objects, rules=rules, clock=clock, metrics=WorkloadEntryMetrics(registry)
    )
    store.subscribe(keeper.on_commit)
    return keeper


def _authority(address: Address) -> str:
    host = address.host or "[::]"
    return f"[{host}]:{address.port}" if ":" in host and not host.startswith("[") else f"{host}:{address.port}"
