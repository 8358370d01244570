"""Replicas that answer for proxies which are only what the test says of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

from certs.spiffe import Spiffe
from discovery.auth.caller import Caller, CallerKind, Credentials, Listener
from discovery.replicas.channel import member_identity
from discovery.replicas.service import ReplicaService
from discovery.schema.meta import ObjectKey
from discovery.store.delivery import Delivery, RejectedResource
from discovery.xds.endpoint import GrpcEndpoint
from tests.kit.certs import TRUST_DOMAIN
from tests.kit.kube_clients import running

__all__ = ["MEMBER", "Everybody", "ToldDeliveries", "answering", "replica_pod"]

MEMBER: Final = member_identity(TRUST_DOMAIN, "istio-system")


class Everybody:
    """Takes every caller for one who showed a certificate with this identity."""

    def __init__(self, identity: Spiffe = MEMBER, kind: CallerKind = CallerKind.CLIENT_CERTIFICATE) -> None:
        self.caller = Caller(kind=kind, identities=(identity,))

    async def authenticate(self, credentials: Credentials) -> Caller:
        """That one."""
        return self.caller


class ToldDeliveries:
    """Deliveries as the test sets them; what is not set has arrived."""

    def __init__(self) -> None:
        self.answers: dict[ObjectKey, Delivery] = {}
        self.asked: list[tuple[ObjectKey, int]] = []
        self.forgotten: list[ObjectKey] = []
        self._listeners: list[Callable[[ObjectKey, RejectedResource], None]] = []

    def of(self, key: ObjectKey, mark: int) -> Delivery:
        """What was set."""
        self.asked.append((key, mark))
        return self.answers.get(key, Delivery())

    def forget(self, key: ObjectKey) -> None:
        """Noted."""
        self.forgotten.append(key)

    def rejected(self) -> Iterator[tuple[ObjectKey, RejectedResource]]:
        """What the answers hold."""
        return ((key, what) for key, delivery in self.answers.items() for what in delivery.rejected)

    def subscribe(self, listener: Callable[[ObjectKey, RejectedResource], None]) -> None:
        """As the real ones."""
        self._listeners.append(listener)

    def reject(self, key: ObjectKey, what: RejectedResource) -> None:
        """A proxy says no."""
        self.answers[key] = Delivery(rejected=(what,))
        for listener in self._listeners:
            listener(key, what)


@asynccontextmanager
async def answering(
    deliveries: ToldDeliveries, authenticator: Everybody | None = None, *, address: str = "127.0.0.1:0"
) -> AsyncIterator[tuple[ReplicaService, int]]:
    """The service on a real gRPC server, and its port."""
    service = ReplicaService(authenticator or Everybody(), MEMBER, deliveries, lambda key, generation: True)
    async with (
        GrpcEndpoint("replica", address, [service.handler(Listener.FRONT)]) as endpoint,
        running(service.run),  # its end ends the streams, for which the endpoint would wait
    ):
        yield service, endpoint.port


def replica_pod(
    name: str, namespace: str, address: str, *, ready: bool = True, revision: str = "default"
) -> dict[str, Any]:
    """A Pod of a control plane; `set_status` of the handle gives it its address."""
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    labels = {"app": "istiod", "istio.io/rev": revision}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "discovery", "image": "pilot"}], "automountServiceAccountToken": False},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [condition]},
    }
