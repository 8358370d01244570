"""Which clusters a service has."""

from __future__ import annotations

from discovery.translate.choices import ClusterChoice, ScopeClusters, scope_clusters
from tests.kit.world import World

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: a, namespace: shop}
spec:
  clusterIP: 10.0.0.1
  ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]
---
apiVersion: v1
kind: Service
metadata: {name: alias, namespace: shop}
spec: {type: ExternalName, externalName: a.shop.svc.cluster.local}
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a, namespace: shop}
spec: {host: a, subsets: [{name: v1, labels: {version: v1}}], trafficPolicy: {outlierDetection: {}}}
"""


def choices(text: str) -> list[ClusterChoice]:
    world = World(text)
    return list(scope_clusters(world.db, ScopeClusters(world.view.outbound.scope, ())))


def test_udp_and_aliases_have_none() -> None:
    """Envoy proxies neither datagrams nor names that stand for others."""
    (only,) = choices(SERVICE)
    assert (only.name, only.rule, only.balances, only.discovered) == (
        "outbound|80||a.shop.svc.cluster.local",
        (),
        False,
        True,
    )


def test_a_rule_adds_subsets() -> None:
    """The whole service and each subset; the proxy's locality matters once endpoints may be ejected."""
    found = choices(SERVICE + "---" + RULE)
    assert [choice.subset for choice in found] == ["", "v1"]
    assert all(choice.balances and choice.rule for choice in found)
