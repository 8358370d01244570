"""The composition root: the only place that constructs the parts of the control plane and wires them together."""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from prometheus_client import CollectorRegistry

from certs.errors import CertsError
from discovery.auth.caller import Listener
from discovery.auth.jwks import JwksError
from discovery.ca.metrics import CaMetrics
from discovery.ca.policy import CaPolicy
from discovery.ca.server import CertificateService
from discovery.controllers.workload_entries import Rules
from discovery.controllers.workload_entries_keeper import WorkloadEntryKeeper
from discovery.controllers.workload_entries_memory import MemoryEntries
from discovery.controllers.workload_entries_metrics import WorkloadEntryMetrics
from discovery.controllers.workload_entries_writer import EntryWriter
from discovery.debug.explain import Explainer
from discovery.debug.server import DebugContent, HttpEndpoint, build_application
from discovery.engine import Database
from discovery.front.service import Front, FrontError
from discovery.runtime.clock import Clock, SystemClock
from discovery.runtime.envoy_binary import EnvoyNotFoundError, find_envoy
from discovery.runtime.logs import get_logger
from discovery.runtime.metrics import new_registry
from discovery.runtime.readiness import Readiness
from discovery.runtime.supervise import Service, run_all, stop_on_signals
from discovery.settings import Address, Settings
from discovery.sources.directory import ConfigDirectoryError, DirectorySource
from discovery.sources.mesh_file import MeshConfigSource
from discovery.store.cells import MESH, ClusterFacts
from discovery.store.state import Store
from discovery.translate.generators import MeshGenerators
from discovery.translate.tables import Generators
from discovery.translate.warm import warm_tables
from discovery.trust import SERVING_TTL, Trust
from discovery.xds.endpoint import GrpcEndpoint, GrpcSettings
from discovery.xds.metrics import XdsMetrics
from discovery.xds.server import AdsServer, AdsSettings

__all__ = ["run_discovery"]

log = get_logger("default")

_STARTING: Final = "starting"
_CHECK_ROOTS_S: Final = 3600.0
_SIGNERS: Final = 2


async def run_discovery(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. Gives the exit status."""
    until = asyncio.Event()
    stop_on_signals(until)
    status = 0
    try:
        async with _Discovery(settings, SystemClock()) as parts:
            await run_all(parts.services, until=until)
        log.info("stopped")
    except* (ConfigDirectoryError, EnvoyNotFoundError, FrontError, CertsError, JwksError, OSError) as failed:
        for error in failed.exceptions:
            log.error("pilot-discovery cannot go on", reason=str(error))
        status = 1
    return status


class _Discovery:
    """All parts, made in the order in which they depend on each other."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._private = Path()
        self._signers = ThreadPoolExecutor(_SIGNERS, thread_name_prefix="sign")
        self.services: list[Service] = []

    async def __aenter__(self) -> Self:
        self._private = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="pilot-discovery-"))
        settings, clock = self._settings, self._clock
        registry, readiness = new_registry(), Readiness()
        readiness.block(_STARTING)
        db = Database()
        store = Store(db, cluster=ClusterFacts(domain=settings.domain, cluster_id=settings.cluster_id))
        sources = (
            MeshConfigSource(Path(settings.mesh_config), store.set_mesh),
            DirectorySource(Path(settings.config_dir), store.apply),
        )
        await sources[0].look()  # the trust domain is needed before anything else
        trust = Trust(settings, trust_domain=MESH(db, None).trust_domain, clock=clock)
        generators = MeshGenerators()
        workloads = _workloads(settings, store, MemoryEntries(store.objects, store.apply), clock, registry)
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
        )
        content = DebugContent(
            connections=ads.connections,
            explainer=Explainer(db, generators, store.objects),
            readiness=readiness,
            registry=registry,
            findings=lambda: tuple(finding for source in sources for finding in source.findings),
            root_namespace=settings.namespace,
            gatekeeper=trust.gatekeeper,
        )
        self.services = [
            *self._http(content),
            *sources,
            _Warm(db, generators),
            *([workloads] if workloads is not None else []),
            ads,
            *self._plaintext(ads, ca),
            *self._secure(ads, ca, trust),
        ]
        self.services.append(_Announce(self.services, readiness))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signers.shutdown(wait=False)
        await asyncio.to_thread(shutil.rmtree, self._private, ignore_errors=True)

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
        front = Front(
            binary=str(find_envoy(self._settings.binary_path)),
            host=address.host,
            port=address.port,
            upstream_path=path,
            certificate=trust.serving_certificate,
        )
        server = GrpcEndpoint("server behind the secure port", f"unix:{path}", handlers, self._grpc_settings())
        return [server, front, _KeepTrust(trust, front, self._clock)]


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


class _Part:
    """A service that holds nothing open."""

    name = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release."""

    async def run(self) -> None:
        """Nothing to do until cancelled."""
        await asyncio.Event().wait()


class _Warm(_Part):
    """Before anybody is served: compute what every proxy's configuration starts from."""

    name = "warm-up"

    def __init__(self, db: Database, generators: Generators) -> None:
        self._db = db
        self._generators = generators

    async def __aenter__(self) -> Self:
        warm_tables(self._db, self._generators)
        # What was loaded lives long: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)
        return self


class _KeepTrust(_Part):
    """Renews the serving certificate and takes up a renewed authority."""

    name = "trust"

    def __init__(self, trust: Trust, front: Front, clock: Clock) -> None:
        self._trust = trust
        self._front = front
        self._clock = clock

    async def run(self) -> None:
        """Look now and then, until cancelled; what fails is tried again next time."""
        renew_at = self._clock.monotonic() + SERVING_TTL.total_seconds() / 2
        while True:
            await asyncio.sleep(_CHECK_ROOTS_S)
            try:
                changed = self._trust.roots.reload(now=self._clock.now())
                if changed or self._clock.monotonic() >= renew_at:
                    self._front.renew()
                    renew_at = self._clock.monotonic() + SERVING_TTL.total_seconds() / 2
                    log.info("secure port renewed its certificate", authority_changed=changed)
            except (CertsError, OSError) as error:
                log.error("authority or certificate not renewed; the present ones stay", reason=str(error))


class _Announce(_Part):
    """Last to start: everything is bound, so say where, and be ready."""

    name = "announcement"

    def __init__(self, services: Sequence[Service], readiness: Readiness) -> None:
        self._services = services
        self._readiness = readiness

    async def __aenter__(self) -> Self:
        for service in self._services:
            port = getattr(service, "port", 0)
            if port:
                log.info("listening", what=service.name, port=port)
        self._readiness.release(_STARTING)
        log.info("ready")
        return self
