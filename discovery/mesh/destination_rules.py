"""Which DestinationRule governs a service for a client, and the traffic policy that follows from it.

A rule is looked for in the client's namespace, then among the exported ones of the service's namespace, then of the
root namespace; within a namespace the exact host is preferred to the longest wildcard. What is found is an identity, a
tuple of object keys (``RuleSources``), so that clients that found the same rule share what is made of it.

Spec: https://istio.io/latest/docs/reference/config/networking/destination-rule/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from discovery.engine import Database, query
from discovery.mesh.proxy import Labels
from discovery.mesh.short_names import Names, cluster_domain
from discovery.mesh.traffic_policy import effective_policy
from discovery.mesh.virtual_services import exported_to
from discovery.registry.host import is_wildcard
from discovery.registry.service import ServiceRef
from discovery.schema.destination_rule import DestinationRule, Subset, TrafficPolicy
from discovery.schema.mesh_config import DefaultTrafficPolicy
from discovery.schema.meta import Kind, ObjectKey
from discovery.store.cells import MESH, NAMES, OBJECT, InNamespace

__all__ = [
    "MergedDestinationRule",
    "PolicyFor",
    "PolicyOf",
    "RuleFinder",
    "RuleFor",
    "RuleSources",
    "destination_rule",
    "find_rule",
    "merged_rule",
    "policy_of",
    "rule_label_keys",
    "rule_sources",
    "traffic_policy",
]

RuleSources = tuple[ObjectKey, ...]  # DestinationRules that act as one, the decisive one first; empty: no rule

_PUBLIC: Final = "*"


class RuleFor(NamedTuple):
    """A client's question which rule governs a service; an empty client namespace finds none."""

    client_namespace: str
    service: ServiceRef
    labels: Labels = ()  # of the client, for rules with a workloadSelector


class PolicyFor(NamedTuple):
    """A client's question which policy governs a port of a service, or of one of its subsets."""

    client_namespace: str
    service: ServiceRef
    port: int
    subset: str = ""
    labels: Labels = ()


class PolicyOf(NamedTuple):
    """The policy that a rule gives to a port, or to a port of a subset."""

    rule: RuleSources
    port: int
    subset: str = ""


class MergedDestinationRule(msgspec.Struct, frozen=True, kw_only=True):
    """Rules of one namespace for one host, as one."""

    sources: RuleSources
    namespace: str
    spec: DestinationRule


class _Header(msgspec.Struct, frozen=True):
    """What finding needs of a rule."""

    key: ObjectKey
    created_at: datetime
    host: str  # fully qualified, lower case
    export_to: tuple[str, ...]  # as written
    selector: Labels | None  # None: for every workload


class _Candidate(msgspec.Struct, frozen=True):
    """Rules of one host that act as one."""

    sources: RuleSources
    audience: frozenset[str]  # namespaces that see it; "*": all
    selector: Labels | None

    def is_private(self, namespace: str) -> bool:
        return self.selector is not None or self.audience == {namespace}

    def seen_by(self, namespace: str) -> bool:
        return _PUBLIC in self.audience or namespace in self.audience


class _HostIndex(msgspec.Struct, frozen=True):
    """Rules by host."""

    by_host: Mapping[str, tuple[_Candidate, ...]] = {}
    wildcards: tuple[str, ...] = ()  # longest first

    def closest(self, host: str) -> tuple[_Candidate, ...]:
        """The rules of the host itself, else of the longest wildcard that covers it."""
        exact = self.by_host.get(host)
        if exact is not None:
            return exact
        for pattern in self.wildcards:
            if host.endswith(pattern[1:]) and len(host) >= len(pattern):
                return self.by_host[pattern]
        return ()


class _Rules(msgspec.Struct, frozen=True):
    """The rules of a namespace."""

    all: _HostIndex = _HostIndex()
    private: _HostIndex = _HostIndex()  # seen by their own namespace alone
    exported: _HostIndex = _HostIndex()  # the others


_NO_RULES: Final = _Rules()


@query
def _root_namespace(db: Database, _: None) -> str:
    return MESH(db, None).root_namespace


@query
def _default_export(db: Database, _: None) -> tuple[str, ...]:
    return MESH(db, None).default_destination_rule_export_to or (_PUBLIC,)


@query
def _default_policy(db: Database, _: None) -> DefaultTrafficPolicy | None:
    return MESH(db, None).default_traffic_policy


@query
def _header(db: Database, key: ObjectKey) -> _Header | None:
    obj = OBJECT(db, key)
    if obj is None:
        return None
    spec: DestinationRule = obj.spec
    selector = None if spec.workload_selector is None else tuple(sorted(spec.workload_selector.wanted.items()))
    host = Names(obj.namespace, cluster_domain(db, None)).host(spec.host)
    return _Header(key, obj.meta.creation_timestamp, host, spec.export_to, selector)


@query
def _rules(db: Database, namespace: str) -> _Rules:
    names = NAMES(db, InNamespace(Kind.DESTINATION_RULE, namespace))
    if not names:
        return _NO_RULES
    keys = (ObjectKey(Kind.DESTINATION_RULE, namespace, name) for name in sorted(names))
    headers = [header for key in keys if (header := _header(db, key)) is not None]
    headers.sort(key=lambda header: (header.created_at, header.key.name))
    groups: dict[str, dict[tuple[frozenset[str], Labels | None], list[ObjectKey]]] = {}
    for header in headers:
        sees = exported_to(namespace, header.export_to or _default_export(db, None))
        groups.setdefault(header.host, {}).setdefault((sees, header.selector), []).append(header.key)
    rules = {
        host: tuple(_Candidate(tuple(sources), sees, selector) for (sees, selector), sources in group.items())
        for host, group in groups.items()
    }
    private = {h: kept for h, found in rules.items() if (kept := tuple(c for c in found if c.is_private(namespace)))}
    exported = {
        h: kept for h, found in rules.items() if (kept := tuple(c for c in found if not c.is_private(namespace)))
    }
    return _Rules(_by_host(rules), _by_host(private), _by_host(exported))


def _by_host(rules: Mapping[str, tuple[_Candidate, ...]]) -> _HostIndex:
    wildcards = sorted((host for host in rules if is_wildcard(host)), key=lambda host: (-len(host), host))
    return _HostIndex(rules, tuple(wildcards))


class RuleFinder:
    """Looks up many services for one client; for use inside one run of a query."""

    def __init__(self, db: Database, client_namespace: str, labels: Labels = ()) -> None:
        self._db = db
        self._client = client_namespace
        self._labels = labels
        self._exported: dict[str, _HostIndex] = {}
        if client_namespace:
            root = _root_namespace(db, None)
            own = _rules(db, client_namespace)
            # In the root namespace a rule may be meant for all; only one private to it is surely meant for its proxies.
            self._own = own.private if client_namespace == root else own.all
            self._root = _rules(db, root).exported

    def find(self, service: ServiceRef) -> RuleSources:
        """The rule that governs a service; empty when none does."""
        if not self._client:
            return ()
        host, owner = service
        theirs = self._exported.get(owner)
        if theirs is None:
            theirs = self._exported[owner] = _rules(self._db, owner).exported
        for index, labels in ((self._own, self._labels), (theirs, ()), (self._root, ())):
            # Most hosts have no rule; finding that out must not cost a call.
            candidates = index.closest(host) if index.wildcards or host in index.by_host else ()
            if candidates and (found := _chosen(candidates, self._client, labels)):
                return found
        return ()


def find_rule(db: Database, asked: RuleFor) -> RuleSources:
    """The rule that governs a service for a client; empty when none does. For use inside a query of one's own."""
    return RuleFinder(db, asked.client_namespace, asked.labels).find(asked.service)


def _chosen(candidates: Iterable[_Candidate], client: str, labels: Labels) -> RuleSources:
    """The first that selects the client by label, else the first that is for everybody."""
    anybody: RuleSources = ()
    for candidate in candidates:
        if not candidate.seen_by(client):
            continue
        if candidate.selector is None:
            anybody = anybody or candidate.sources
        elif set(labels).issuperset(candidate.selector):
            return candidate.sources
    return anybody


@query
def rule_sources(db: Database, asked: RuleFor) -> RuleSources:
    """The rule that governs a service for a client, as an identity; empty when none does."""
    return find_rule(db, asked)


@query
def rule_label_keys(db: Database, namespace: str) -> frozenset[str]:
    """Label keys by which rules of a namespace select its workloads; other labels of a client cannot matter."""
    candidates = (c for candidates in _rules(db, namespace).all.by_host.values() for c in candidates)
    return frozenset(key for candidate in candidates for key, _ in candidate.selector or ())


@query
def merged_rule(db: Database, sources: RuleSources) -> MergedDestinationRule | None:
    """Rules that act as one: subsets of all by name, the first traffic policy; None for no rule."""
    specs: list[tuple[ObjectKey, DestinationRule]] = []
    for key in sources:
        obj = OBJECT(db, key)
        if obj is not None:
            specs.append((key, obj.spec))
    if not specs:
        return None
    first_key, first = specs[0]
    subsets: dict[str, Subset] = {}
    policy = None
    for _, spec in specs:
        policy = policy or spec.traffic_policy
        for subset in spec.subsets:
            subsets.setdefault(subset.name, subset)
    host = Names(first_key.namespace, cluster_domain(db, None)).host(first.host)
    merged = replace(first, host=host, traffic_policy=policy, subsets=tuple(subsets.values()))
    return MergedDestinationRule(sources=tuple(key for key, _ in specs), namespace=first_key.namespace, spec=merged)


@query
def destination_rule(db: Database, asked: RuleFor) -> MergedDestinationRule | None:
    """The merged rule that governs a service for a client; None when none does."""
    sources = rule_sources(db, asked)
    return merged_rule(db, sources) if sources else None


@query
def policy_of(db: Database, asked: PolicyOf) -> TrafficPolicy | None:
    """The effective policy: the port's, overlaid by the subset's, with gaps filled by the mesh's; None: nothing set."""
    rule = merged_rule(db, asked.rule) if asked.rule else None
    policy = subset = None
    if rule is not None:
        policy = rule.spec.traffic_policy
        subset = next((s.traffic_policy for s in rule.spec.subsets if asked.subset and s.name == asked.subset), None)
    return effective_policy(policy, subset, asked.port, _default_policy(db, None))


@query
def traffic_policy(db: Database, asked: PolicyFor) -> TrafficPolicy | None:
    """The effective policy of a port of a service, or of its subset, for a client; None: nothing set."""
    sources = rule_sources(db, RuleFor(asked.client_namespace, asked.service, asked.labels))
    return policy_of(db, PolicyOf(sources, asked.port, asked.subset))
