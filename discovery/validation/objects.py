"""What is wrong with one object by itself: the door to the rules of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from discovery.schema.findings import Finding
from discovery.schema.meta import Kind, Object
from discovery.schema.proto_json import Problem
from discovery.validation.authorization_policy import check_authorization_policy, check_dry_run
from discovery.validation.destination_rule import check_destination_rule, check_destination_rule_in
from discovery.validation.envoy_filter import check_envoy_filter
from discovery.validation.extensions import check_traffic_extension, check_wasm_plugin
from discovery.validation.gateway import check_gateway
from discovery.validation.peer_authentication import check_peer_authentication
from discovery.validation.proxy_config import check_proxy_config
from discovery.validation.request_authentication import check_request_authentication
from discovery.validation.service_entry import check_service_entry
from discovery.validation.sidecar import check_sidecar
from discovery.validation.telemetry import check_telemetry
from discovery.validation.virtual_service import check_virtual_service
from discovery.validation.workload_entry import check_workload_entry
from discovery.validation.workload_group import check_workload_group

__all__ = ["validate"]

_CHECKS: Final[Mapping[Kind, Callable[[Any], Iterator[Problem]]]] = {
    Kind.VIRTUAL_SERVICE: check_virtual_service,
    Kind.DESTINATION_RULE: check_destination_rule,
    Kind.SERVICE_ENTRY: check_service_entry,
    Kind.WORKLOAD_ENTRY: check_workload_entry,
    Kind.WORKLOAD_GROUP: check_workload_group,
    Kind.SIDECAR: check_sidecar,
    Kind.GATEWAY: check_gateway,
    Kind.ENVOY_FILTER: check_envoy_filter,
    Kind.PROXY_CONFIG: check_proxy_config,
    Kind.PEER_AUTHENTICATION: check_peer_authentication,
    Kind.AUTHORIZATION_POLICY: check_authorization_policy,
    Kind.REQUEST_AUTHENTICATION: check_request_authentication,
    Kind.TELEMETRY: check_telemetry,
    Kind.WASM_PLUGIN: check_wasm_plugin,
    Kind.TRAFFIC_EXTENSION: check_traffic_extension,
}

# Rules that need more than the spec: the namespace, or annotations.
_OBJECT_CHECKS: Final[Mapping[Kind, Callable[[Object], Iterator[Problem]]]] = {
    Kind.DESTINATION_RULE: check_destination_rule_in,
    Kind.AUTHORIZATION_POLICY: check_dry_run,
}


def validate(obj: Object) -> tuple[Finding, ...]:
    """All that is wrong with an object; kinds that the API server itself checks have no findings.

    An object with an ERROR among them must not replace a good version of itself.
    """
    check = _CHECKS.get(obj.key.kind)
    if check is None:
        return ()
    problems = tuple(check(obj.spec))
    more = _OBJECT_CHECKS.get(obj.key.kind)
    if more is not None:
        problems += tuple(more(obj))
    if not problems:
        return ()
    return tuple(Finding(str(obj.key), p.path, p.text, p.hint, p.severity, obj.origin) for p in problems)
