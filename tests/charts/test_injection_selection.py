"""Which pods the webhooks of an installation take: exactly one webhook per pod, the right control plane's."""

from __future__ import annotations

from itertools import product
from typing import Any, Final

import pytest

from tests.kit.helm import matches, of_kind, render

_DEFAULT: Final = render("discovery")
_CANARY: Final = render("discovery", {"revision": "canary", "revisionTags": ["stable"]}, release="canary")
_EVERYWHERE: Final = render("discovery", {"sidecarInjectorWebhook": {"enableNamespacesByDefault": True}})


def _taken_by(manifests: tuple[dict[str, Any], ...], namespace: dict[str, str], pod: dict[str, str]) -> list[str]:
    return [
        webhook["clientConfig"]["service"]["name"]
        for configuration in of_kind(manifests, "MutatingWebhookConfiguration")
        for webhook in configuration["webhooks"]
        if matches(webhook["namespaceSelector"], namespace) and matches(webhook["objectSelector"], pod)
    ]


@pytest.mark.parametrize(
    ("namespace", "pod", "taken_by"),
    [
        ({}, {}, []),
        ({"istio-injection": "enabled"}, {}, ["istiod"]),
        ({"istio-injection": "enabled"}, {"sidecar.istio.io/inject": "false"}, []),
        ({"istio-injection": "disabled"}, {"sidecar.istio.io/inject": "true"}, []),
        ({}, {"sidecar.istio.io/inject": "true"}, ["istiod"]),
        ({}, {"istio.io/rev": "canary"}, ["istiod-canary"]),
        ({}, {"istio.io/rev": "stable", "sidecar.istio.io/inject": "true"}, ["istiod-canary"]),
        ({"istio.io/rev": "canary"}, {}, ["istiod-canary"]),
        ({"istio.io/rev": "stable"}, {}, ["istiod-canary"]),
        ({"istio.io/rev": "default"}, {}, ["istiod"]),
        ({"istio.io/rev": "canary"}, {"sidecar.istio.io/inject": "false"}, []),
        ({"istio.io/rev": "canary", "istio-injection": "disabled"}, {}, []),
        ({"istio.io/rev": "canary", "istio-injection": "enabled"}, {}, ["istiod"]),
        ({"istio.io/rev": "unknown"}, {}, []),
    ],
)
def test_who_injects(namespace: dict[str, str], pod: dict[str, str], taken_by: list[str]) -> None:
    """With a default control plane and a canary tagged stable side by side."""
    assert _taken_by(_DEFAULT, namespace, pod) + _taken_by(_CANARY, namespace, pod) == taken_by


_LABELS: Final = {
    "istio-injection": (None, "enabled", "disabled"),
    "istio.io/rev": (None, "default", "canary", "stable"),
    "sidecar.istio.io/inject": (None, "true", "false"),
}


def _every(*keys: str) -> list[dict[str, str]]:
    chosen = product(*(_LABELS[key] for key in keys))
    return [{k: v for k, v in zip(keys, values, strict=True) if v is not None} for values in chosen]


@pytest.mark.parametrize("first", [_DEFAULT, _EVERYWHERE], ids=["asked", "everywhere"])
def test_nobody_is_injected_twice(first: tuple[dict[str, Any], ...]) -> None:
    """Whatever labels namespace and pod carry, at most one webhook takes the pod."""
    for namespace, pod in product(
        _every("istio-injection", "istio.io/rev"), _every("istio.io/rev", "sidecar.istio.io/inject")
    ):
        taken = _taken_by(first, namespace, pod) + _taken_by(_CANARY, namespace, pod)
        assert len(taken) <= 1, (namespace, pod, taken)
        if pod.get("sidecar.istio.io/inject") == "false":
            assert not taken


def test_everywhere_spares_the_clusters_own_namespaces() -> None:
    """Pods of the cluster itself must start without any control plane."""
    assert _taken_by(_EVERYWHERE, {"kubernetes.io/metadata.name": "shop"}, {}) == ["istiod"]
    assert _taken_by(_EVERYWHERE, {"kubernetes.io/metadata.name": "kube-system"}, {}) == []


@pytest.mark.parametrize(
    ("labels", "judged_by"),
    [
        ({}, ["istiod"]),
        ({"istio.io/rev": "default"}, ["istiod"]),
        ({"istio.io/rev": "canary"}, ["istiod-canary"]),
        ({"istio.io/rev": "stable"}, ["istiod-canary"]),
        ({"istio.io/rev": "other"}, []),
    ],
)
def test_who_validates(labels: dict[str, str], judged_by: list[str]) -> None:
    """An object is judged once, by the control plane that will read it."""
    judges = [
        webhook["clientConfig"]["service"]["name"]
        for configuration in of_kind((*_DEFAULT, *_CANARY), "ValidatingWebhookConfiguration")
        for webhook in configuration["webhooks"]
        if matches(webhook["objectSelector"], labels)
    ]
    assert judges == judged_by


def test_a_revision_made_the_default_serves_who_names_none() -> None:
    """With `defaultRevision`, a revision takes over what the control plane without one did."""
    manifests = render("discovery", {"revision": "v2", "defaultRevision": "v2"}, release="v2")
    assert _taken_by(manifests, {"istio-injection": "enabled"}, {}) == ["istiod-v2"]
