"""Load assignments: the endpoints of one service port, whole or by subset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from discovery.engine import Database, query
from discovery.mesh.destination_rules import PolicyOf, RuleSources, merged_rule, policy_of
from discovery.mesh.endpoints import ServicePort, endpoints
from discovery.mesh.peer_authentication import WorkloadPolicyKey, mtls_policy, policy_label_keys
from discovery.mesh.services import service
from discovery.mesh.settings import mesh_locality
from discovery.registry.endpoint import Endpoint, Health
from discovery.registry.service import ServiceRef
from discovery.schema.destination_rule import ClientTLSMode, TrafficPolicy
from discovery.schema.peer_authentication import MutualTLSMode
from discovery.translate.endpoints.lb_endpoint import endpoint_encoder, endpoint_facts
from discovery.translate.locality import (
    LocalityShare,
    balances_localities,
    effective_setting,
    prefers_same_zone,
    share_localities,
    share_zones,
)
from discovery.wire.envoy import LocalityLbEndpoints, serialize
from discovery.wire.names import outbound_cluster
from discovery.wire.protowire import bytes_field, string_field
from discovery.wire.resource import Resource, content_version
from discovery.wire.type_urls import ENDPOINT

__all__ = ["AssignmentKey", "assignment_bytes", "empty_assignment", "load_assignment"]

_MAX_WEIGHTS: Final = 2**32 - 1
"""Of all endpoints together: Envoy refuses more, and each WorkloadEntry may have as much."""


class AssignmentKey(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """What a load assignment depends on."""

    service: ServiceRef
    port: int
    subset: str = ""
    rule: RuleSources = ()  # DestinationRules in force
    locality: str = ""  # of the proxy, set only where localities are balanced
    node: str | None = None  # of the proxy, set only where endpoints at other Nodes do not count


def empty_assignment(name: str) -> Resource:
    """The answer for a cluster that nobody knows: no endpoints, so that Envoy stops waiting."""
    value = string_field(1, name)
    return Resource(name, content_version(value), ENDPOINT, value)


@query
def load_assignment(db: Database, key: AssignmentKey) -> Resource:
    """The endpoints as an EDS resource."""
    name = outbound_cluster(key.service.host, key.port, key.subset)
    value = string_field(1, name) + _localities(db, key)
    return Resource(name, content_version(value), ENDPOINT, value)


def assignment_bytes(db: Database, key: AssignmentKey) -> bytes:
    """The serialised message, for clusters that hold their endpoints inline; empty when there are none."""
    localities = _localities(db, key)
    return string_field(1, outbound_cluster(key.service.host, key.port, key.subset)) + localities if localities else b""


class _Group:
    """The endpoints of one locality, encoded."""

    __slots__ = ("lb_endpoints", "weight")

    def __init__(self) -> None:
        self.lb_endpoints: list[bytes] = []
        self.weight = 0


class _Batch(NamedTuple):
    """Where endpoints that are alike belong, and how they are encoded."""

    group: _Group
    field: Callable[[str], bytes]
    field_of_all: Callable[[str, tuple[str, ...]], bytes]


def _localities(db: Database, key: AssignmentKey) -> bytes:
    """The field ``endpoints`` of the assignment, localities in order of their names."""
    policy = policy_of(db, PolicyOf(key.rule, key.port, key.subset))
    groups = _groups(db, key, policy)
    total = sum(group.weight for group in groups.values())
    if total > _MAX_WEIGHTS:
        groups = _groups(db, key, policy, divisor=1 + total // (_MAX_WEIGHTS // 2))
    shares = _shares(db, key, policy, {place: group.weight for place, group in groups.items()})
    out = []
    for place in sorted(groups):
        share = shares.get(place)
        if share is not None:
            members = b"".join(groups[place].lb_endpoints)
            out.append(bytes_field(2, _locality_fields(place) + members + _share_fields(share)))
    return b"".join(out)


def _groups(db: Database, key: AssignmentKey, policy: TrafficPolicy | None, *, divisor: int = 1) -> dict[str, _Group]:
    """Encoded endpoints by locality. The innermost loop of the control plane: every endpoint passes here."""
    wanted = _subset_labels(db, key).items()
    # Ejecting unhealthy endpoints by threshold only means something if they are not offered in the first place.
    outlier = policy.outlier_detection if policy is not None else None
    healthy_only = outlier is not None and outlier.min_health_percent > 0
    speaks_mtls = _MutualTls(db, policy)
    batches: dict[tuple[object, ...], _Batch] = {}
    groups: dict[str, _Group] = {}
    for endpoint in _members(db, key):
        if wanted and not wanted <= endpoint.labels.items():
            continue
        if healthy_only and endpoint.health is Health.UNHEALTHY:
            continue
        # Endpoints of one workload, or of none, share their labels; these live as long as the endpoints do.
        weight, place = endpoint.weight if divisor == 1 else max(1, endpoint.weight // divisor), endpoint.locality
        alike = (id(endpoint.labels), endpoint.workload, endpoint.port, place, endpoint.health, weight)
        batch = batches.get(alike)
        if batch is None:
            facts = endpoint_facts(endpoint, mtls=speaks_mtls(endpoint))
            group = groups.setdefault(place, _Group())
            encoder = endpoint_encoder(facts, endpoint.port, endpoint.health, weight)
            batch = batches[alike] = _Batch(group, encoder.field, encoder.field_of_all)
        additional = endpoint.additional_addresses
        batch.group.lb_endpoints.append(
            batch.field_of_all(endpoint.address, additional) if additional else batch.field(endpoint.address)
        )
        batch.group.weight += weight
    return groups


def _members(db: Database, key: AssignmentKey) -> tuple[Endpoint, ...]:
    members = endpoints(db, ServicePort(key.service, key.port))
    if key.node is None:
        return members
    return tuple(endpoint for endpoint in members if endpoint.node_name == key.node)


def _subset_labels(db: Database, key: AssignmentKey) -> Mapping[str, str]:
    """Labels that endpoints of the subset carry; none for the whole service."""
    merged = merged_rule(db, key.rule) if key.subset and key.rule else None
    subsets = merged.spec.subsets if merged is not None else ()
    return next((subset.labels for subset in subsets if subset.name == key.subset), {})


def _shares(
    db: Database, key: AssignmentKey, policy: TrafficPolicy | None, weights: dict[str, int]
) -> dict[str, LocalityShare]:
    found = service(db, key.service)
    if key.locality and found is not None and prefers_same_zone(policy, found.traffic_distribution):
        return share_zones(key.locality, weights)
    mesh = mesh_locality(db, None)
    setting = effective_setting(policy, mesh)
    if not key.locality or setting is None or not balances_localities(policy, mesh):
        return {place: LocalityShare(0, weight) for place, weight in weights.items()}
    return share_localities(key.locality, weights, setting)


class _MutualTls:
    """Whether an endpoint is spoken to in mutual TLS: a rule says so, or the endpoint offers and accepts it."""

    def __init__(self, db: Database, policy: TrafficPolicy | None) -> None:
        self._db = db
        self._told = policy.tls.mode if policy is not None and policy.tls is not None else None
        self._modes: dict[tuple[WorkloadPolicyKey, int], bool] = {}

    def __call__(self, endpoint: Endpoint) -> bool:
        if self._told is not None:
            return self._told is ClientTLSMode.ISTIO_MUTUAL
        if endpoint.tls_mode != "istio":
            return False
        selectable = policy_label_keys(self._db, endpoint.namespace)
        labels = tuple(sorted((k, v) for k, v in endpoint.labels.items() if k in selectable)) if selectable else ()
        at = (WorkloadPolicyKey(endpoint.namespace, labels), endpoint.port)
        accepted = self._modes.get(at)
        if accepted is None:
            accepted = mtls_policy(self._db, at[0]).for_port(at[1]) is not MutualTLSMode.DISABLE
            self._modes[at] = accepted
        return accepted


@lru_cache(maxsize=1024)
def _locality_fields(place: str) -> bytes:
    region, zone, sub_zone = ([*place.split("/"), "", ""])[:3]
    locality = {"region": region, "zone": zone, "sub_zone": sub_zone} if place else {}
    return serialize(LocalityLbEndpoints(locality=locality))


@lru_cache(maxsize=1024)
def _share_fields(share: LocalityShare) -> bytes:
    return serialize(LocalityLbEndpoints(load_balancing_weight={"value": share.weight}, priority=share.priority))
