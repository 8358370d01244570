from __future__ import annotations

import pytest

from tests.kit.analysis import found

NAME = "annotations.K8sAnalyzer"


@pytest.mark.parametrize(
    ("kind", "annotation", "code"),
    [
        ("Pod", "sidecar.istio.io/inject: 'true'", ""),
        ("Pod", "sidecar.istio.io/inject: perhaps", "IST0125"),
        ("Pod", "traffic.sidecar.istio.io/excludeInboundPorts: '80, 90'", ""),
        ("Pod", "traffic.sidecar.istio.io/excludeInboundPorts: http", "IST0125"),
        ("Pod", "traffic.sidecar.istio.io/includeOutboundIPRanges: 10.0.0.0/8", ""),
        ("Pod", "traffic.sidecar.istio.io/includeOutboundIPRanges: all", "IST0125"),
        ("Pod", "status.sidecar.istio.io/port: '70000'", "IST0125"),
        ("Pod", "sidecar.istio.io/interceptionMode: BOTH", "IST0125"),
        ("Pod", "sidecar.istio.io/injekt: 'true'", "IST0108"),
        ("Pod", "internal.istio.io/something: x", ""),
        ("Pod", "sidecar.istio.io/discoveryAddress: x", "IST0135"),
        ("Service", "sidecar.istio.io/inject: 'true'", "IST0107"),
        ("Service", "example.com/inject: 'true'", ""),
        ("Namespace", "galley.istio.io/analyze-suppress: IST0102", ""),
        ("ConfigMap", "sidecar.istio.io/injekt: 'true'", ""),
    ],
)
def test_an_annotation_stands_where_it_is_read(kind: str, annotation: str, code: str) -> None:
    """A name that nobody knows, a wrong place and a wrong value are three things."""
    text = f"{{apiVersion: v1, kind: {kind}, metadata: {{name: a, annotations: {{{annotation}}}}}}}"
    name = "a" if kind == "Namespace" else "shop/a"
    assert found(NAME, text) == ([f"{code} {kind} {name}"] if code else [])
