from __future__ import annotations

import pytest

from tests.kit.analysis import found

WORLD = """
{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: s}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: bare}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n, labels: {topology.kubernetes.io/zone: z1, other: x}}}
---
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: s, version: v1}}
spec: {nodeName: n}
---
"""


def _rule(spec: str) -> str:
    return f"apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: r}}\nspec: {{{spec}}}\n"


@pytest.mark.parametrize(
    ("spec", "codes"),
    [
        ("host: s", []),
        ("host: s.shop.svc.cluster.local, subsets: [{name: a, labels: {version: v1}}]", []),
        ("host: s, subsets: [{name: a, labels: {version: v2}}]", ["IST0173"]),
        ("host: s, subsets: [{name: a, labels: {topology.kubernetes.io/zone: z1}}]", []),
        ("host: s, subsets: [{name: a, labels: {topology.kubernetes.io/zone: z2}}]", ["IST0173"]),
        ("host: s, subsets: [{name: a, labels: {other: x}}]", ["IST0173"]),
        ("host: bare, subsets: [{name: a, labels: {version: v2}}]", []),
        ("host: t", ["IST0174"]),
        ("host: '*.local'", []),
    ],
)
def test_hosts_and_subsets_are_there(spec: str, codes: list[str]) -> None:
    """Labels are the pod's, and those of its node that tell the place."""
    text = WORLD + _rule(spec)
    assert found("destinationrule.PodNotSelectedAnalyzer", text) == [f"{code} DestinationRule shop/r" for code in codes]


@pytest.mark.parametrize(
    ("policy", "codes"),
    [
        ("tls: {mode: SIMPLE}", ["IST0128"]),
        ("tls: {mode: SIMPLE, caCertificates: /ca}", []),
        ("tls: {mode: ISTIO_MUTUAL}", []),
        ("tls: {mode: MUTUAL, credentialName: c}", ["IST0128"]),
        ("portLevelSettings: [{port: {number: 1}, tls: {mode: MUTUAL}}]", ["IST0129"]),
    ],
)
def test_servers_are_verified(policy: str, codes: list[str]) -> None:
    """Against an authority, at each level where TLS is set."""
    text = _rule(f"host: s, trafficPolicy: {{{policy}}}")
    assert found("destinationrule.CaCertificateAnalyzer", text) == [f"{code} DestinationRule shop/r" for code in codes]


def test_a_credential_counts_for_chosen_workloads() -> None:
    """Sidecars read it only then."""
    text = _rule("host: s, workloadSelector: {}, trafficPolicy: {tls: {mode: SIMPLE, credentialName: c}}")
    assert found("destinationrule.CaCertificateAnalyzer", text) == []
