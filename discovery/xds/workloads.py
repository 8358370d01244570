"""Where streams of virtual machines meet whoever registers them: what is told of a stream, and when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, Protocol

import grpc

from certs.spiffe import parse_spiffe
from discovery.registry.registrant import Refusal, RefusedError, Registrant
from discovery.xds.connection import StreamEndedError
from discovery.xds.node_key import NodeFacts

__all__ = ["Workloads", "registered", "registrant_of"]

_CODES: Final = {
    Refusal.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Refusal.MISSING: grpc.StatusCode.FAILED_PRECONDITION,
}


class Workloads(Protocol):
    """Registers proxies while they have a stream."""

    async def connect(self, registrant: Registrant) -> None:
        """A proxy has come; it is served when this returns, so it should be soon. Raises: RefusedError."""

    def disconnect(self, registrant: Registrant) -> None:
        """Its stream has ended. Must not block."""

    def report_health(self, registrant: Registrant, failure: str | None) -> None:
        """Its agent says how the application is; ``failure`` is None when it is healthy. Must not block."""


def registrant_of(node: NodeFacts, identity: str, now: datetime) -> Registrant | None:
    """The proxy, if it wants to be registered.

    Args:
        node: what it says of itself.
        identity: its verified SPIFFE id; empty without one.
        now: when its stream was admitted.
    """
    metadata = node.metadata
    if not (metadata.auto_register_group or metadata.workload_entry):
        return None
    verified = parse_spiffe(identity) if identity else None
    return Registrant(
        proxy=node.id.name,
        connected_at=now,
        namespace=node.namespace,
        group="" if metadata.workload_entry else metadata.auto_register_group,
        entry=metadata.workload_entry,
        identity_namespace=verified.namespace if verified else "",
        identity_account=verified.service_account if verified else "",
        address=node.ips[0],
        network=metadata.network,
        locality=node.locality,
        labels=metadata.labels,
        probed=metadata.probed,
    )


@asynccontextmanager
async def registered(workloads: Workloads | None, registrant: Registrant | None) -> AsyncIterator[None]:
    """For the block, the proxy is registered; nothing happens for one that does not want to be.

    Raises:
        StreamEndedError: it was refused.
    """
    if workloads is None or registrant is None:
        yield
        return
    try:
        await workloads.connect(registrant)
    except RefusedError as refused:
        raise StreamEndedError(_CODES[refused.refusal], str(refused)) from refused
    try:
        yield
    finally:
        workloads.disconnect(registrant)
