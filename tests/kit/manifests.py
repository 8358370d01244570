"""Builders of configuration objects from YAML text, for tests of everything that reads objects."""

from __future__ import annotations

import textwrap
from typing import Any

import yaml

from discovery.schema.decode import Decoded, decode
from discovery.schema.kinds import KINDS
from discovery.schema.meta import Kind, Object, Origin

__all__ = ["decoded", "istio", "one", "places", "slice_document"]


def decoded(text: str, *, origin: Origin | None = None) -> Decoded:
    """What one document of YAML text holds."""
    return decode(yaml.load(textwrap.dedent(text), yaml.CSafeLoader), origin=origin or Origin())


def one(text: str) -> Object:
    """The only object of the text, which must be without findings."""
    result = decoded(text)
    assert not result.findings, [str(finding) for finding in result.findings]
    (obj,) = result.objects
    return obj


def istio(kind: Kind, spec: str, *, name: str = "x", namespace: str = "shop", **metadata: Any) -> Object:
    """An Istio object of that kind with the spec given as YAML text."""
    document = {
        "apiVersion": KINDS[kind].api_version,
        "kind": KINDS[kind].name,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": yaml.load(textwrap.dedent(spec), yaml.CSafeLoader) or {},
    }
    result = decode(document)
    assert not result.findings, [str(finding) for finding in result.findings]
    return result.objects[0]


def places(kind: Kind, spec: str) -> list[str]:
    """Where reading an object with that spec (YAML text) finds something, without the leading ``spec.``."""
    document = {
        "apiVersion": KINDS[kind].api_version,
        "kind": KINDS[kind].name,
        "metadata": {"name": "x"},
        "spec": yaml.load(textwrap.dedent(spec), yaml.CSafeLoader),
    }
    return [finding.path.removeprefix("spec.") for finding in decode(document).findings]


def slice_document(service: str, *, endpoints: int = 1, namespace: str = "shop", suffix: str = "1") -> dict[str, Any]:
    """An EndpointSlice as an API server would give it, with made-up addresses and Pods."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-{suffix}",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
            "creationTimestamp": "2024-01-02T03:04:05Z",
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [
            {
                "addresses": [f"10.0.{index // 250}.{index % 250 + 1}"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": "node-1",
                "zone": "zone-a",
                "targetRef": {"kind": "Pod", "name": f"{service}-{index}", "namespace": namespace},
            }
            for index in range(endpoints)
        ],
    }
