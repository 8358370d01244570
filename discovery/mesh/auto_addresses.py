"""Which hosts of ServiceEntries are given an address, and which one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from discovery.engine import Database, query
from discovery.registry.auto_allocate import Claim, allocate
from discovery.schema.meta import Kind, ObjectKey
from discovery.schema.service_entry import Resolution, ServiceEntry
from discovery.store.cells import NAMES, NAMESPACES, OBJECT, InNamespace

__all__ = ["auto_addresses"]

_OPT_OUT: Final = "networking.istio.io/enable-autoallocate-ip"


class _Claims(NamedTuple):
    """The claims of one object, and what their order follows from; changes rarely."""

    age: tuple[object, ...]
    claims: tuple[Claim, ...]


@query
def _claims(db: Database, key: ObjectKey) -> _Claims | None:
    """Hosts without a wildcard, of entries without addresses that resolve to something; None: no claim.

    Of an entry with resolution NONE only the address that the application dialled says where to go, so it must be real.
    """
    obj = OBJECT(db, key)
    if obj is None or obj.meta.labels.get(_OPT_OUT, "").lower() == "false":
        return None
    spec: ServiceEntry = obj.spec
    if spec.addresses or spec.resolution is Resolution.NONE:
        return None
    hosts = dict.fromkeys(host.lower() for host in spec.hosts if "*" not in host)
    claims = tuple(Claim(key.namespace, host) for host in hosts)
    return _Claims((obj.meta.creation_timestamp, key.name, key.namespace), claims) if claims else None


@query
def _allocation(db: Database, _: None) -> Mapping[str, tuple[str, ...]]:
    found = []
    for namespace in sorted(NAMESPACES(db, Kind.SERVICE_ENTRY)):
        for name in sorted(NAMES(db, InNamespace(Kind.SERVICE_ENTRY, namespace))):
            claims = _claims(db, ObjectKey(Kind.SERVICE_ENTRY, namespace, name))
            if claims is not None:
                found.append(claims)
    found.sort(key=lambda claims: claims.age)
    return allocate(claim for claims in found for claim in claims.claims)


@query
def _address_of(db: Database, host: str) -> tuple[str, ...]:
    return _allocation(db, None).get(host, ())


@query
def auto_addresses(db: Database, entry: ObjectKey) -> Mapping[str, tuple[str, ...]]:
    """The addresses given to hosts (lower case) of a ServiceEntry, an IPv4 and an IPv6 one each."""
    claims = _claims(db, entry)
    return {claim.host: _address_of(db, claim.host) for claim in claims.claims} if claims is not None else {}
