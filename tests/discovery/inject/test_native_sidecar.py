"""Whether the proxy may be a native sidecar."""

from __future__ import annotations

import pytest

from discovery.inject.native_sidecar import NativeSidecars, nodes_run_them, wanted


@pytest.mark.parametrize(
    ("setting", "kubelets", "node", "expected"),
    [
        ("auto", {"a": "v1.33.0", "b": "v1.34.2+k3s1"}, "", True),
        ("auto", {"a": "v1.33.0", "b": "v1.32.9"}, "", False),
        ("auto", {"a": "v1.33.0", "b": "v1.32.9"}, "a", True),
        ("auto", {"a": "v1.33.0", "b": "v1.32.9"}, "b", False),
        ("auto", {"a": "v1.33.0"}, "unknown", True),
        ("auto", {}, "", False),
        ("auto", {"a": "nonsense"}, "", False),
        ("auto", {"a": "v2.0.0"}, "", True),
        ("true", {}, "", True),
        ("false", {"a": "v1.34.0"}, "", False),
    ],
)
def test_nodes(setting: str, kubelets: dict[str, str], node: str, expected: bool) -> None:
    """The pod's own node if it is known, else the oldest one decides."""
    assert nodes_run_them(NativeSidecars(setting), kubelets, node=node) is expected


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("false", False), ("", True), ("nonsense", True)])
def test_the_pod_wins(value: str, expected: bool) -> None:
    """By its annotation."""
    assert wanted({"sidecar.istio.io/nativeSidecar": value}, default=True) is expected
