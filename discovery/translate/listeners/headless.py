"""Services without an address of their own: callers dial instances, so each instance gets a listener."""

from __future__ import annotations

from discovery.engine import Database, query
from discovery.mesh.endpoints import ServicePort, endpoints
from discovery.schema.addresses import is_address

__all__ = ["instance_addresses"]


@query
def instance_addresses(db: Database, at: ServicePort) -> tuple[str, ...]:
    """IP addresses of a service port's instances, sorted; names and sockets are left out.

    Listeners depend on this alone, not on weights and health of endpoints.
    """
    return tuple(sorted({endpoint.address for endpoint in endpoints(db, at) if is_address(endpoint.address)}))
