"""Whether a pod gets a proxy."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from discovery.inject.config import InjectorConfig, parse_config
from discovery.inject.decide import NEVER_NAMESPACES, decide

CONFIG = parse_config(
    """
policy: enabled
templates: {sidecar: ''}
neverInjectSelector: [{matchLabels: {job: batch}}]
alwaysInjectSelector: [{matchLabels: {job: web}}]
"""
)


def pod(*, labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None, **spec: Any) -> Any:
    """A pod."""
    return {"metadata": {"labels": labels or {}, "annotations": annotations or {}}, "spec": spec}


INJECT = "sidecar.istio.io/inject"


@pytest.mark.parametrize(
    ("candidate", "enabled", "disabled", "reason"),
    [
        (pod(), True, False, "the policy is"),
        (pod(hostNetwork=True, labels={INJECT: "true"}), False, False, "has host networking enabled"),
        (pod(labels={INJECT: "true"}), True, True, "label sidecar.istio.io/inject is 'true'"),
        (pod(labels={INJECT: "Yes"}), True, True, "label"),
        (pod(labels={INJECT: "false"}), False, False, "label"),
        (pod(labels={INJECT: "nonsense"}), False, False, "label"),
        (pod(annotations={INJECT: "on"}), True, True, "annotation"),
        (pod(annotations={INJECT: "true"}, labels={INJECT: "false"}), False, False, "label"),
        (pod(annotations={INJECT: "true"}, labels={INJECT: ""}), True, False, "the policy"),
        (pod(labels={"job": "batch"}), False, False, "neverInjectSelector"),
        (pod(labels={"job": "web"}), True, True, "alwaysInjectSelector"),
        (pod(labels={"job": "batch", INJECT: "true"}), True, True, "label"),
    ],
)
def test_the_first_rule_that_knows_decides(candidate: Any, enabled: bool, disabled: bool, reason: str) -> None:
    """Host network, then the pod's own word, then selectors, then the policy."""
    found = decide(candidate, namespace="shop", config=CONFIG)
    assert found.inject is enabled
    assert reason in found.reason
    off = msgspec.structs.replace(CONFIG, policy=InjectorConfig().policy)
    assert decide(candidate, namespace="shop", config=off).inject is disabled


@pytest.mark.parametrize("namespace", NEVER_NAMESPACES)
def test_namespaces_of_the_system_are_never_injected(namespace: str) -> None:
    """Even if the pod asks for it."""
    assert not decide(pod(labels={INJECT: "true"}), namespace=namespace, config=CONFIG).inject
