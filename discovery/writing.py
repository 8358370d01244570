"""The parts of the control plane that write to a cluster or ask it who is calling, assembled.

Reading scales with replicas, writing is the leader's. Two elections: what a whole cluster shares (the authority, its
roots in every namespace) is one replica's of all revisions; what is a revision's own (webhook configurations,
conditions, Events) is one of that revision's replicas'.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from certs.plugged_in import find_ca_files
from discovery.auth.node_authorization import NodeAuthorizer, StorePods
from discovery.auth.token_review import ReviewMetrics, ReviewSettings, TokenReviewAuthenticator
from discovery.ca.roots import is_generated
from discovery.ca.secret_roots import SecretRoots, SecretSettings, open_secret_roots
from discovery.controllers.ca_bundle import BundlePatcher, BundleSettings
from discovery.controllers.ca_root import RootDistribution
from discovery.controllers.status import StatusWriter
from discovery.controllers.status_plan import Observation
from discovery.controllers.store_namespaces import StoreNamespaces
from discovery.kube.client import KubeClient, connect
from discovery.kube.config import KubeConfig
from discovery.kube.election import LeaseTimes
from discovery.kube.events import EventRecorder
from discovery.kube.lease import ElectionMetrics, Elector, Fence, LeaseElector, NotLeadingError, SoleWriter
from discovery.kube.resources import Resource
from discovery.kube.timing import Timing
from discovery.replicas.fleet import Fleet
from discovery.runtime.logs import get_logger
from discovery.runtime.supervise import Service
from discovery.schema.meta import ObjectKey
from discovery.settings import Settings
from discovery.sources.kubernetes_objects import Served
from discovery.startup import Part
from discovery.store.state import Store
from discovery.trust import Trust, ca_settings
from discovery.xds.delivery import Deliveries

__all__ = ["CLUSTER_LEASE", "Writing", "node_authorizer", "open_authority", "revision_lease", "token_reviewer"]

CLUSTER_LEASE: Final = "istio-namespace-controller-election"
_AGAIN_S: Final = 5.0
_log = get_logger("leader")


def revision_lease(revision: str) -> str:
    """The name of the Lease that replicas of a revision share."""
    return f"istiod-leader-{revision or 'default'}"


async def open_authority(
    settings: Settings, client: KubeClient, *, trust_domain: str, timing: Timing
) -> SecretRoots | None:
    """The authority that the cluster keeps in a Secret; None where one is given by files.

    Raises:
        CaError: there is a Secret, and it cannot be used.
        KubeError: we may not read it.
    """
    mounted = Path(settings.root_ca_dir) if settings.root_ca_dir else None
    if settings.ca_dir or (mounted is not None and await asyncio.to_thread(_is_operators, mounted)):
        return None
    place = SecretSettings(
        namespace=settings.namespace,
        use_cacerts=settings.writing.use_cacerts,
        check_s=settings.writing.root_check.total_seconds(),
        ca=ca_settings(settings, trust_domain),
    )
    return await open_secret_roots(client, place, timing)


def _is_operators(directory: Path) -> bool:
    return find_ca_files(directory) is not None and not is_generated(directory)


def token_reviewer(
    settings: Settings, client: KubeClient, *, trust_domain: str, timing: Timing, registry: CollectorRegistry
) -> TokenReviewAuthenticator:
    """Who is asked about service account tokens."""
    review = ReviewSettings(
        audiences=settings.token_audiences,
        require_audience=settings.writing.require_audience,
        trust_domain=trust_domain,
        cluster_ids=frozenset({settings.cluster_id}),
    )
    return TokenReviewAuthenticator(client, review, clock=timing.clock, metrics=ReviewMetrics(registry))


def node_authorizer(settings: Settings, store: Store) -> NodeAuthorizer | None:
    """Who may act as another; None where nobody may."""
    trusted = settings.writing.trusted_node_accounts
    return NodeAuthorizer(trusted, StorePods(store.objects)) if trusted else None


class Writing:
    """Everything that runs only where this replica leads.

    Args:
        client: for the writes; elections get one of their own, so that renewals wait for nobody.
        authority: the Secret to look after, if the authority is kept in one.
        deliveries: how far objects have got; without it no conditions are written.
        fleet: the same of all replicas; without it conditions speak of our own proxies.
    """

    def __init__(  # noqa: PLR0913 - wired by name in one place
        self,
        client: KubeClient,
        settings: Settings,
        store: Store,
        trust: Trust,
        authority: SecretRoots | None,
        deliveries: Deliveries | None = None,
        fleet: Fleet | None = None,
        *,
        timing: Timing,
        registry: CollectorRegistry,
        times: LeaseTimes = LeaseTimes(),  # noqa: B008 - immutable
    ) -> None:
        self._settings = settings
        self._timing = timing
        self._times = times
        self._metrics = ElectionMetrics(registry)
        self._election_client: KubeClient | None = None
        self._authority = authority
        self._fleet = fleet
        self._roots = RootDistribution(
            client,
            StoreNamespaces(store),
            lambda: trust.roots.current.roots.to_pem().decode(),
            timing=timing,
            name=settings.writing.root_config_map,
            registry=registry,
        )
        self._bundles = BundlePatcher(
            client,
            trust.serving_roots_pem,
            BundleSettings(
                namespace=settings.namespace,
                revision=settings.revision or "default",
                injection=settings.writing.injection_webhook,
                validation=settings.writing.validation_webhook,
                switch_policy=settings.writing.switch_failure_policy,
            ),
            timing=timing,
            registry=registry,
        )
        self._status = self._status_writer(client, store, deliveries, registry)
        trust.roots.on_change(self._roots.roots_changed)
        trust.roots.on_change(self._bundles.roots_changed)

    def observed(self, key: ObjectKey, resource: Resource, served: Served | None) -> None:
        """Take what the cluster's source tells of an object; its status will say what became of it."""
        if self._status is None:
            return
        seen = None
        if served is not None and served.state is not None:
            seen = Observation(state=served.state, findings=served.findings, served=served.object is not None)
        self._status.observed(key, resource, seen)

    def _status_writer(
        self, client: KubeClient, store: Store, deliveries: Deliveries | None, registry: CollectorRegistry
    ) -> StatusWriter | None:
        if deliveries is None or not self._settings.writing.config_status:
            return None
        recorder = EventRecorder(
            component="istiod", instance=self._settings.pod_name, timing=self._timing, registry=registry
        )
        everywhere = self._fleet or deliveries
        status = StatusWriter(client, everywhere, store.has, recorder, timing=self._timing, registry=registry)
        deliveries.subscribe(status.rejected)
        if self._fleet is not None:
            self._fleet.subscribe(status.look, status.rejected)
        return status

    async def services(self) -> list[Service]:
        """What to run, the elections first: they end last."""
        if self._settings.writing.elect_leader:
            config = KubeConfig(
                kubeconfig=self._settings.kubeconfig, environ=self._settings.pod_environ, qps=0, timeout_s=10.0
            )
            self._election_client = await connect(config, clock=self._timing.clock, sleep=self._timing.sleep)
        shared, own = self._elector(CLUSTER_LEASE), self._elector(revision_lease(self._settings.revision))
        work = [
            LeaderWork("root certificates in namespaces", shared, self._roots.lead, self._timing),
            LeaderWork("CA bundles of webhooks", own, self._bundles.lead, self._timing),
        ]
        if self._status is not None and self._fleet is not None:
            work.append(LeaderWork("questions to other replicas", own, self._fleet.lead, self._timing))
        if self._status is not None:
            work.append(LeaderWork("conditions and Events", own, self._status.lead, self._timing))
        if self._authority is not None:
            work.append(LeaderWork("authority's renewal", shared, self._authority.lead, self._timing))
        followed = [self._authority] if self._authority is not None else []
        return [shared, own, *followed, *work]

    async def close(self) -> None:
        """Close connections, once the services have ended."""
        if self._election_client is not None:
            await self._election_client.close()

    def _elector(self, lease: str) -> Elector:
        if self._election_client is None:
            return SoleWriter(lease, self._timing.clock)
        return LeaseElector(
            self._election_client,
            namespace=self._settings.namespace,
            lease=lease,
            identity=f"{self._settings.pod_name}_{secrets.token_hex(4)}",
            timing=self._timing,
            times=self._times,
            metrics=self._metrics,
        )


class LeaderWork(Part):
    """A controller under an election. One that fails is begun anew after a while; others are not disturbed."""

    def __init__(self, name: str, elector: Elector, lead: Callable[[Fence], Awaitable[None]], timing: Timing) -> None:
        self.name = name
        self._elector = elector
        self._lead = lead
        self._timing = timing

    async def run(self) -> None:
        """Work in every term of leadership, until cancelled."""
        await self._elector.run_while_leading(self._work)

    async def _work(self, fence: Fence) -> None:
        while True:
            try:
                await self._lead(fence)
            except NotLeadingError:
                raise
            # A crash boundary: the replica goes on serving proxies, whatever is wrong with one of its writers.
            except Exception as error:  # noqa: BLE001
                _log.error("leader's work failed, begun anew", work=self.name, exc_info=error)
            fence.check()
            await self._timing.sleep(_AGAIN_S)
