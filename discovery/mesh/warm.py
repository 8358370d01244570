"""Computing ahead what every proxy's configuration starts from, so that the first proxy does not wait for it."""

from __future__ import annotations

from discovery.engine import Database
from discovery.mesh.endpoints import service_accounts
from discovery.mesh.services import all_services

__all__ = ["warm_selection"]


def warm_selection(db: Database) -> int:
    """Bring services, endpoints and their accounts up to date; gives how many services there are."""
    services = all_services(db, None)
    for ref in services:
        service_accounts(db, ref)
    return len(services)
