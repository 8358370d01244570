"""Rendering of virtual hosts: the bytes of ``route.v3.VirtualHost`` without its name.

The name is field 1 and comes first, so whoever sends the virtual host puts it before these bytes: by itself (VHDS) it
has another than inside of a route configuration (RDS).

Only what takes long is a query: the routes of a VirtualService, shared by all scopes to which they mean the same. A
service's one route is spliced from ready fields in 3 us, which is what remembering it would cost.

Spec: https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from discovery.engine import Database, query
from discovery.mesh.callers import Caller
from discovery.mesh.destination_rules import PolicyOf, RuleFinder, RuleSources, policy_of
from discovery.mesh.proxy import Labels, ScopeKey
from discovery.mesh.scope import scope_services
from discovery.mesh.services import service
from discovery.mesh.virtual_services import virtual_service, virtual_service_header
from discovery.registry.service import ServiceRef
from discovery.schema.sidecar import OutboundTrafficPolicyMode
from discovery.schema.virtual_service import Destination
from discovery.store.cells import MESH
from discovery.translate.routes.action import Defaults, Target, patience
from discovery.translate.routes.hashing import consistent_hash, hash_policy
from discovery.translate.routes.keys import ANY_HOST, CatchAll, DestinationFacts, RoutedHost, ScopedHost, ServiceHost
from discovery.translate.routes.match import EVERYTHING
from discovery.translate.routes.routes import destinations, virtual_service_routes
from discovery.wire.envoy import Route, RouteAction, VirtualHost, serialize
from discovery.wire.names import ALLOW_ANY_DYNAMIC_DNS_CLUSTER, PASSTHROUGH_CLUSTER, outbound_cluster
from discovery.wire.protowire import bytes_field, string_field, uint_field

__all__ = [
    "catch_all_name",
    "catch_all_virtual_host",
    "pass_on",
    "routed_virtual_host",
    "scoped_virtual_host",
    "service_virtual_host",
]

# Field numbers of VirtualHost, Route, RouteAction and Decorator.
_DOMAINS, _ROUTES, _COUNT_ATTEMPTS = 2, 3, 14
_MATCH, _ROUTE_ACTION, _DECORATOR, _ROUTE_NAME = 1, 2, 5, 14
_CLUSTER = 1
_OPERATION = 1

_UNKNOWN_SERVICE: Final = "UnknownService"  # of a destination without a host

_MATCH_EVERYTHING: Final = bytes_field(_MATCH, serialize(Route(match=EVERYTHING).match))
_NAMED_DEFAULT: Final = string_field(_ROUTE_NAME, "default")
_COUNTED: Final = uint_field(_COUNT_ATTEMPTS, 1)  # upstreams learn how often a request was tried


@query
def _defaults(db: Database, _: None) -> Defaults:
    retries = MESH(db, None).default_http_retry_policy
    return Defaults(retries, patience(retries=retries))


def _virtual_host(domains: Iterable[str], routes: Iterable[bytes]) -> bytes:
    parts = [string_field(_DOMAINS, domain) for domain in domains]
    parts += [bytes_field(_ROUTES, route) for route in routes]
    parts.append(_COUNTED)
    return b"".join(parts)


# -- services ----------------------------------------------------------------------------------------------------------


def service_virtual_host(db: Database, key: ServiceHost) -> bytes:
    """The virtual host of a service: one route to its cluster, the fields in the order of their numbers."""
    defaults = _defaults(db, None)
    action = string_field(_CLUSTER, outbound_cluster(key.host, key.port))
    hashed = _hash(db, PolicyOf(key.rule, key.port)) if key.rule else None
    if hashed is None:
        action += defaults.patience
    else:
        action += patience(retries=defaults.retries, hashed=True) + serialize(RouteAction(hash_policy=[hashed]))
    operation = string_field(_OPERATION, f"{key.host}:{key.port}/*")
    route = _MATCH_EVERYTHING + bytes_field(_ROUTE_ACTION, action) + bytes_field(_DECORATOR, operation) + _NAMED_DEFAULT
    return _virtual_host(key.domains, (route,))


# -- virtual services --------------------------------------------------------------------------------------------------


def scoped_virtual_host(db: Database, key: ScopedHost) -> bytes:
    """The virtual host as a scope sees it: finds out what its destinations mean, then shares the rendering."""
    header = virtual_service_header(db, key.virtual_service)
    if header is None:
        return _virtual_host(key.domains, ())
    if header.conditions:
        caller = Caller(key.port, key.scope.scope.namespace, _only(key.scope.route_labels, header.source_label_keys))
    else:
        caller = Caller(key.port, "")
    rules = RuleFinder(db, key.scope.scope.namespace, key.scope.rule_labels)
    services = _services_by_host(db, key.scope.scope)
    facts = tuple([_destination(db, host, services, rules) for host in header.destinations])
    return routed_virtual_host(db, RoutedHost(key.virtual_service, caller, key.domains, facts))


def _only(labels: Labels, keys: frozenset[str]) -> Labels:
    return tuple(pair for pair in labels if pair[0] in keys)


@query
def _services_by_host(db: Database, scope: ScopeKey) -> Mapping[str, ServiceRef]:
    return {ref.host: ref for ref in scope_services(db, scope)}


def _destination(db: Database, host: str, services: Mapping[str, ServiceRef], rules: RuleFinder) -> DestinationFacts:
    """What a destination host means to a scope: an alias is what it stands for, over any number of further aliases."""
    target = host
    for _ in services:
        ref = services.get(target)
        found = service(db, ref) if ref is not None else None
        if ref is None or found is None:
            break
        if not found.alias_of:
            only_port = found.ports[0].number if len(found.ports) == 1 else 0
            return DestinationFacts(host, target, only_port, rules.find(ref))
        target = found.alias_of
    return DestinationFacts(host, target)


@query
def routed_virtual_host(db: Database, key: RoutedHost) -> bytes:
    """The virtual host with the routes of a VirtualService."""
    found = virtual_service(db, key.virtual_service)
    if found is None:
        return _virtual_host(key.domains, ())
    facts = {about.host: about for about in key.destinations}
    targets = {to: _target(db, to, facts.get(to.host), key.caller.port) for to in destinations(found)}
    return _virtual_host(key.domains, virtual_service_routes(found, key.caller, targets, _defaults(db, None)))


def _target(db: Database, to: Destination, facts: DestinationFacts | None, listener_port: int) -> Target:
    """The port is the one written, else the service's only one, else the one that the request came to."""
    if not to.host:
        return Target(_UNKNOWN_SERVICE, _UNKNOWN_SERVICE)
    host, port = to.host, listener_port
    rule: RuleSources = ()
    if facts is not None:
        host, port, rule = facts.stands_for, facts.only_port or port, facts.rule
    if to.port is not None:
        port = to.port.number
    hashed = _hash(db, PolicyOf(rule, port, to.subset)) if rule else None
    return Target(outbound_cluster(host, port, to.subset), f"{host}:{port}", hashed)


def _hash(db: Database, asked: PolicyOf) -> dict[str, Any] | None:
    hashing = consistent_hash(policy_of(db, asked))
    return hash_policy(hashing) if hashing is not None else None


# -- everything else ---------------------------------------------------------------------------------------------------


_CATCH_ALL: Final = {  # name, and where requests go
    OutboundTrafficPolicyMode.REGISTRY_ONLY: ("block_all", ""),
    OutboundTrafficPolicyMode.ALLOW_ANY: ("allow_any", PASSTHROUGH_CLUSTER),
    OutboundTrafficPolicyMode.ALLOW_ANY_DYNAMIC_DNS: ("allow_any_dynamic_dns", ALLOW_ANY_DYNAMIC_DNS_CLUSTER),
}


def catch_all_name(mode: OutboundTrafficPolicyMode) -> str:
    """The name of the virtual host for unknown hosts, and of its route."""
    return _CATCH_ALL[mode][0]


def pass_on(name: str, cluster: str) -> dict[str, Any]:
    """The keyword form of a route that sends every request to a cluster, for as long as it takes."""
    limits: dict[str, Any] = {"timeout": {}, "max_stream_duration": {"grpc_timeout_header_max": {}}}
    return {"name": name, "match": EVERYTHING, "route": {"cluster": cluster, **limits}}


@query
def catch_all_virtual_host(db: Database, key: CatchAll) -> bytes:
    """The virtual host for hosts that the mesh does not know: they pass, or get 502."""
    del db
    name, cluster = _CATCH_ALL[key.mode]
    if cluster:
        route = pass_on(name, key.cluster or cluster)
    else:
        route = {"name": name, "match": EVERYTHING, "direct_response": {"status": 502}}
    return serialize(VirtualHost(domains=ANY_HOST, routes=[route], include_request_attempt_count=True))
