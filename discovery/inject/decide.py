"""Whether a pod gets a proxy. The first rule that knows decides; the reason is for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from discovery.inject.config import InjectorConfig, Policy
from discovery.inject.documents import annotations_of, labels_of, mapping_of
from discovery.inject.names import INJECT
from discovery.inject.selectors import selects

__all__ = ["NEVER_NAMESPACES", "Decision", "decide"]

NEVER_NAMESPACES: Final = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage")
"""Namespaces that a broken proxy must not be able to bring down."""

_YES: Final = ("y", "yes", "true", "on")


class Decision(NamedTuple):
    """Whether to inject, and why; the reason follows the pod's name in a sentence."""

    inject: bool
    reason: str


def decide(pod: Mapping[str, Any], *, namespace: str, config: InjectorConfig) -> Decision:
    """Judge one pod of a namespace.

    Raises:
        PodError: its labels or annotations are no texts.
    """
    if mapping_of(pod, "spec").get("hostNetwork"):
        return Decision(inject=False, reason="has host networking enabled, where traffic must not be captured")
    if namespace in NEVER_NAMESPACES:
        return Decision(inject=False, reason=f"has sidecar injection disabled: namespace {namespace} is never injected")
    asked = _asked(pod)
    if asked is not None:
        return asked
    labels = labels_of(pod)
    if any(selects(selector, labels) for selector in config.never_inject):
        return _decided(inject=False, reason="neverInjectSelector matches its labels")
    if any(selects(selector, labels) for selector in config.always_inject):
        return _decided(inject=True, reason="alwaysInjectSelector matches its labels")
    return _decided(inject=config.policy is Policy.ENABLED, reason=f"the policy is {config.policy}")


def _decided(*, inject: bool, reason: str) -> Decision:
    return Decision(inject, f"has sidecar injection {'enabled' if inject else 'disabled'}: {reason}")


def _asked(pod: Mapping[str, Any]) -> Decision | None:
    """What the pod says itself; its label is newer than its annotation and wins."""
    for kind, members in (("label", labels_of(pod)), ("annotation", annotations_of(pod))):
        if INJECT in members:
            value = members[INJECT]
            if not value:
                return None
            return _decided(inject=value.lower() in _YES, reason=f"{kind} {INJECT} is {value!r}")
    return None
