"""Policies and the workloads that they select: none, too many of one kind, or ones that selectors do not reach."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from discovery.validation.analyze.message import Code, Message
from discovery.validation.analyze.resource import Resource, about
from discovery.validation.analyze.world import SYSTEM_NAMESPACES, World, selects

__all__ = [
    "authorization_policies",
    "gateway_selectors",
    "sidecar_defaults",
    "sidecar_selectors",
    "telemetry_defaults",
    "telemetry_providers",
    "telemetry_selectors",
]

_GATEWAY_NAME: Final = "gateway.networking.k8s.io/gateway-name"
_POLICIES: Final = ("RequestAuthentication", "AuthorizationPolicy", "WasmPlugin", "Telemetry")


def _selector(policy: Resource) -> Mapping[str, str]:
    """The labels that a policy asks for; empty for one of the whole namespace."""
    selector = policy.spec.workload_selector if policy.kind == "Sidecar" else policy.spec.selector
    return selector.wanted if selector is not None else {}


def _attached(policy: Resource) -> bool:
    """Whether it refers to a target, so that a selector plays no part."""
    spec = policy.spec
    return bool(getattr(spec, "target_refs", ())) or getattr(spec, "target_ref", None) is not None


def _several_defaults(world: World, kind: str, code: Code) -> Iterator[Message]:
    by_namespace: defaultdict[str, list[Resource]] = defaultdict(list)
    for policy in world.of(kind):
        if not _selector(policy) and not _attached(policy):
            by_namespace[policy.namespace].append(policy)
    for namespace, found in by_namespace.items():
        if len(found) < 2:
            continue
        for policy in found:
            others = ", ".join(other.name for other in found if other is not policy)
            text = f"{others} in namespace {namespace!r} has no workload selector either, so one has no effect"
            yield about(code, policy, text, "join them, or give each a selector")


def _several_for_a_pod(world: World, kind: str, code: Code) -> Iterator[Message]:
    policies = [policy for policy in world.of(kind) if _selector(policy) and not _attached(policy)]
    for pod in world.pods():
        found = [p for p in policies if p.namespace == pod.resource.namespace and selects(_selector(p), pod.labels)]
        if len(found) < 2:
            continue
        for policy in found:
            others = ", ".join(other.name for other in found if other is not policy)
            text = f"{others} selects pod {pod.resource.full_name} too, so one has no effect on it"
            yield about(code, policy, text, "make the selectors exclude each other")


def _unmatched(world: World, policy: Resource) -> Iterator[Message]:
    selector = _selector(policy)
    if selector and not world.selected(policy, selector):
        told = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
        text = f"no workload has the labels {told}"
        yield about(Code.NO_MATCHING_WORKLOADS_FOUND, policy, text, "correct the selector")


def sidecar_defaults(world: World) -> Iterator[Message]:
    """A namespace has one Sidecar without selector."""
    yield from _several_defaults(world, "Sidecar", Code.MULTIPLE_SIDECARS_WITHOUT_WORKLOAD_SELECTORS)


def sidecar_selectors(world: World) -> Iterator[Message]:
    """A pod has one Sidecar, and a Sidecar has pods."""
    for sidecar in world.of("Sidecar"):
        selector = _selector(sidecar)
        workloads = world.workloads(sidecar.namespace)
        if selector and not any(selects(selector, workload.labels) for workload in workloads):
            told = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
            text = f"no workload of namespace {sidecar.namespace!r} has the labels {told}"
            yield about(Code.REFERENCED_RESOURCE_NOT_FOUND, sidecar, text, "correct the selector")
    yield from _several_for_a_pod(world, "Sidecar", Code.CONFLICTING_SIDECAR_WORKLOAD_SELECTORS)


def telemetry_defaults(world: World) -> Iterator[Message]:
    """A namespace has one Telemetry without selector."""
    yield from _several_defaults(world, "Telemetry", Code.MULTIPLE_TELEMETRIES_WITHOUT_WORKLOAD_SELECTORS)


def telemetry_selectors(world: World) -> Iterator[Message]:
    """A pod has one Telemetry, and a Telemetry has pods."""
    for telemetry in world.of("Telemetry"):
        if not _attached(telemetry):
            yield from _unmatched(world, telemetry)
    yield from _several_for_a_pod(world, "Telemetry", Code.CONFLICTING_TELEMETRY_WORKLOAD_SELECTORS)


def telemetry_providers(world: World) -> Iterator[Message]:
    """A Telemetry names providers, or the mesh has default ones."""
    defaults = world.mesh.default_providers
    if defaults.metrics or defaults.tracing or defaults.access_logging:
        return
    for telemetry in world.of("Telemetry"):
        spec = telemetry.spec
        parts = (*spec.metrics, *spec.tracing, *spec.access_logging)
        if any(not part.providers for part in parts):
            text = "names no provider, and the mesh has no default ones, so it has no effect"
            yield about(Code.INVALID_TELEMETRY_PROVIDER, telemetry, text, "write providers")


def gateway_selectors(world: World) -> Iterator[Message]:
    """Pods of a Gateway of the Gateway API are reached by target references, not by labels."""
    for kind in _POLICIES:
        for policy in world.of(kind):
            selector = _selector(policy)
            if not selector or _attached(policy):
                continue
            names = {
                pod.labels[_GATEWAY_NAME] for pod in world.selected(policy, selector) if _GATEWAY_NAME in pod.labels
            }
            for name in sorted(names):
                text = f"its selector has no effect on the Kubernetes Gateway {name!r}"
                yield about(Code.INEFFECTIVE_SELECTOR, policy, text, "use targetRefs")


def authorization_policies(world: World) -> Iterator[Message]:
    """A policy has pods, and the namespaces in its rules exist."""
    namespaces = {namespace.name for namespace in world.of("Namespace")}
    for policy in world.of("AuthorizationPolicy"):
        if not _attached(policy):
            yield from _unmatched(world, policy)
        if not namespaces:
            continue
        callers = (caller.source for rule in policy.spec.rules for caller in rule.from_ if caller.source is not None)
        named = {name for source in callers for name in source.namespaces if "*" not in name}
        for name in sorted(named - namespaces - SYSTEM_NAMESPACES):
            text = f"there is no namespace {name!r}"
            yield about(Code.REFERENCED_RESOURCE_NOT_FOUND, policy, text, "correct spec.rules")
