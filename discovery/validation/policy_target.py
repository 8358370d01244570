"""What policies attach to: workloads by label, or targets by reference, never both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from discovery.schema.gateway_api.references import GROUP as GATEWAY_API_GROUP
from discovery.schema.proto_json import Problem
from discovery.schema.selector import PolicySelector, PolicyTargetReference, WorkloadSelector
from discovery.validation.fields import check_selector, error

__all__ = ["check_policy_target"]

_TARGETS: Final = {
    ("Service", ""),
    ("Service", "core"),
    ("ServiceEntry", "networking.istio.io"),
    ("Gateway", GATEWAY_API_GROUP),
    ("GatewayClass", GATEWAY_API_GROUP),
}


def check_policy_target(
    selector: PolicySelector | WorkloadSelector | None,
    target_refs: Sequence[PolicyTargetReference],
    target_ref: PolicyTargetReference | None = None,
    *,
    selector_name: str = "selector",
) -> Iterator[Problem]:
    """At most one of the ways to attach, and each of them right."""
    ways = {selector_name: selector is not None, "targetRef": target_ref is not None, "targetRefs": bool(target_refs)}
    chosen = [name for name, there in ways.items() if there]
    if len(chosen) > 1:
        yield error("spec", f"want one of {' and '.join(chosen)}, got {len(chosen)}", "remove the others")
    yield from check_selector(selector, f"spec.{selector_name}")
    if target_ref is not None:
        yield from _reference(target_ref, "spec.targetRef")
    for i, reference in enumerate(target_refs):
        yield from _reference(reference, f"spec.targetRefs[{i}]")


def _reference(reference: PolicyTargetReference, at: str) -> Iterator[Problem]:
    if reference.namespace:
        yield error(f"{at}.namespace", "a target of another namespace is not possible", "remove the field")
    if (reference.kind, reference.group) not in _TARGETS:
        known = ", ".join(f"{group}/{kind}".lstrip("/") for kind, group in sorted(_TARGETS) if group != "core")
        got = f"{reference.group}/{reference.kind}".lstrip("/")
        yield error(f"{at}.kind", f"want one of {known}, got {got}")
