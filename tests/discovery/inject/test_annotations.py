"""Annotations are checked before anything is made of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from discovery.inject.annotations import _CHECKS, check_annotations
from discovery.inject.builtin import TEMPLATE_NAMES, builtin_template
from discovery.inject.errors import PodError

TRAFFIC = "traffic.sidecar.istio.io"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            f"{TRAFFIC}/includeOutboundIPRanges",
            ("*", "", "10.0.0.1/8,::/0"),
            ("bad", "10.0.0.1", "10.0.0.0/33", "*,1.0.0.0/8"),
        ),
        (f"{TRAFFIC}/excludeOutboundIPRanges", ("", "10.0.0.0/8"), ("*",)),
        (f"{TRAFFIC}/includeInboundPorts", ("*", "", "1, 2"), ("bad", "70000")),
        (f"{TRAFFIC}/excludeInboundPorts", ("", "1,2"), ("*", "-1")),
        (f"{TRAFFIC}/excludeOutboundPorts", ("1",), ("bad",)),
        (f"{TRAFFIC}/includeOutboundPorts", ("*", "1"), ("bad",)),
        ("sidecar.istio.io/interceptionMode", ("REDIRECT", "TPROXY", "NONE"), ("redirect",)),
        ("sidecar.istio.io/nativeSidecar", ("true", "false"), ("yes",)),
        ("sidecar.istio.io/rewriteAppHTTPProbers", ("true", "0"), ("yes",)),
        ("status.sidecar.istio.io/port", ("0", "15020"), ("x", "65536")),
        ("readiness.status.sidecar.istio.io/periodSeconds", ("0", "5"), ("5s", "-1")),
        ("sidecar.istio.io/proxyCPU", ("100m", "0.5", "2"), ("a lot", "1x")),
        ("sidecar.istio.io/proxyMemoryLimit", ("1Gi", "1e3", "500M"), ("1GB",)),
        ("sidecar.istio.io/userVolume", ('{"a":{"emptyDir":{}}}',), ("[]", '{"a":1}', "{")),
    ],
)
def test_values(name: str, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    """What Istio takes is taken; the rest is told with the annotation's name."""
    for value in good:
        check_annotations({name: value})
    for value in bad:
        with pytest.raises(PodError, match=name):
            check_annotations({name: value})


def test_all_mistakes_are_told_at_once() -> None:
    """One edit is enough."""
    with pytest.raises(PodError, match=r"proxyCPU.*excludeOutboundPorts"):
        check_annotations({"sidecar.istio.io/proxyCPU": "x", f"{TRAFFIC}/excludeOutboundPorts": "bad", "other": "x"})


def test_the_reference_page_tells_each() -> None:
    """What is checked, and what a template of ours asks a pod for."""
    page = (Path(__file__).parents[3] / "docs" / "reference" / "injection.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`([a-z.]+\.istio\.io/[A-Za-z-]+)`", page))
    asked = re.compile(r'(?:annotation \$meta|\$meta\.Annotations) "([a-z.]+\.istio\.io/[A-Za-z-]+)"')
    asked_for = {name for template in TEMPLATE_NAMES for name in asked.findall(builtin_template(template))}
    assert len(asked_for) > 15
    assert told >= _CHECKS.keys() | asked_for
