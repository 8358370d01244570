"""What is wrong with one object by itself: the door to the rules of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from discovery.schema.findings import Finding
from discovery.schema.meta import Kind, Object
from discovery.schema.proto_json import Problem
from discovery.validation.destination_rule import check_destination_rule
from discovery.validation.peer_authentication import check_peer_authentication
from discovery.validation.service_entry import check_service_entry
from discovery.validation.sidecar import check_sidecar
from discovery.validation.telemetry import check_telemetry
from discovery.validation.virtual_service import check_virtual_service
from discovery.validation.workload_entry import check_workload_entry

__all__ = ["validate"]

_CHECKS: Final[Mapping[Kind, Callable[[Any], Iterator[Problem]]]] = {
    Kind.VIRTUAL_SERVICE: check_virtual_service,
    Kind.DESTINATION_RULE: check_destination_rule,
    Kind.SERVICE_ENTRY: check_service_entry,
    Kind.WORKLOAD_ENTRY: check_workload_entry,
    Kind.SIDECAR: check_sidecar,
    Kind.PEER_AUTHENTICATION: check_peer_authentication,
    Kind.TELEMETRY: check_telemetry,
}


def validate(obj: Object) -> tuple[Finding, ...]:
    """All that is wrong with an object; kinds that the API server itself checks have no findings.

    An object with an ERROR among them must not replace a good version of itself.
    """
    check = _CHECKS.get(obj.key.kind)
    if check is None:
        return ()
    problems = tuple(check(obj.spec))
    if not problems:
        return ()
    return tuple(Finding(str(obj.key), p.path, p.text, p.hint, p.severity, obj.origin) for p in problems)
