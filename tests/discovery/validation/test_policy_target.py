"""Rules of what policies attach to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"selector": {"matchLabels": {"a": "b"}}}, []),
        ({"targetRef": {"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "a"}}, []),
        (
            {
                "targetRefs": [
                    {"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "a"},
                    {"kind": "Service", "name": "a"},
                    {"kind": "Service", "group": "core", "name": "a"},
                ]
            },
            [],
        ),
        (
            {"selector": {}, "targetRefs": [{"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "a"}]},
            ["spec"],
        ),
        (
            {
                "targetRef": {"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "a"},
                "targetRefs": [{"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "a"}],
            },
            ["spec"],
        ),
        ({"targetRefs": [{"kind": "Service", "name": "a", "namespace": "b"}]}, ["targetRefs[0].namespace"]),
        ({"targetRefs": [{"kind": "Gateway", "name": "a"}]}, ["targetRefs[0].kind"]),
        ({"targetRef": {"kind": "Pod", "name": "a"}}, ["targetRef.kind"]),
        ({"selector": {"matchLabels": {"": "b"}}}, ["selector"]),
        ({"selector": {"matchLabels": {"a*": "b"}}}, ["selector"]),
    ],
)
def test_one_way_to_attach(spec: dict[str, Any], where: list[str]) -> None:
    """Labels or references, of the own namespace, to kinds that have proxies."""
    assert errors("Telemetry", spec) == where
