"""The parts by which replicas of a control plane ask each other, assembled: each answers, the leader asks."""

from __future__ import annotations

import grpc.aio

from discovery.kube.client import KubeClient
from discovery.kube.informer import Informer
from discovery.kube.timing import Timing
from discovery.replicas.channel import member_identity, open_channel, replica_credentials, target_of
from discovery.replicas.fleet import Fleet
from discovery.replicas.pods import ReplicaPod, decode_pod, replicas_of
from discovery.replicas.service import ReplicaService
from discovery.schema.meta import Kind
from discovery.settings import Settings
from discovery.sources.kubernetes_kinds import CORE
from discovery.store.cells import MESH
from discovery.store.state import Store
from discovery.trust import Trust
from discovery.xds.delivery import Deliveries

__all__ = ["Replication"]


class Replication:
    """Both sides. They need the secure port: at no other could replicas be told from anybody else.

    Attributes:
        answering: to be served at the secure port.
        asking: to be led.
    """

    def __init__(
        self, settings: Settings, client: KubeClient, store: Store, trust: Trust, deliveries: Deliveries, timing: Timing
    ) -> None:
        self._settings = settings
        self._client = client
        self._trust = trust
        self._timing = timing
        self._member = member_identity(MESH(store.db, None).trust_domain, settings.namespace)
        self.answering = ReplicaService(trust.gatekeeper, self._member, deliveries, store.has)
        self.asking = Fleet(deliveries, self._pods, self._dial, settings.pod_name, timing=timing)

    def _pods(self) -> Informer[ReplicaPod]:
        chosen = replicas_of(self._settings.namespace, self._settings.revision)
        return Informer(self._client, CORE[Kind.POD], decode_pod, self._timing, selection=chosen)

    def _dial(self, address: str) -> grpc.aio.Channel:
        assert self._settings.secure_grpc is not None  # noqa: S101 - see above
        trust, now = self._trust, self._timing.clock.now()
        mine = replica_credentials(trust.roots.current, self._member, roots_pem=trust.serving_roots_pem(), now=now)
        target = target_of(address, self._settings.secure_grpc.port)
        return open_channel(target, f"istiod.{self._settings.namespace}.svc", mine)
