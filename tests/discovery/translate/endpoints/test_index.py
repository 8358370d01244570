"""Which load assignments a proxy may ask for."""

from __future__ import annotations

from discovery.translate.endpoints.index import endpoint_index
from tests.kit.world import World

SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: a, namespace: default}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: headless, namespace: default}
spec: {clusterIP: None, ports: [{name: tcp, port: 90}]}
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a, namespace: default}
spec: {host: a, trafficPolicy: {outlierDetection: {}}}
"""


def test_only_clusters_that_ask_for_endpoints() -> None:
    """Headless services are sent to where the connection was going."""
    world = World(SERVICES)
    assert list(endpoint_index(world.db, world.view.outbound)) == ["outbound|80||a.default.svc.cluster.local"]


def test_locality_is_in_the_key_only_where_it_counts() -> None:
    """Without outlier detection proxies of all zones share an assignment."""
    place = "---\n{kind: Proxy, locality: r/z}"
    for text, expected in ((SERVICES, ""), (SERVICES + "---" + RULE, "r/z")):
        world = World(text + place)
        (ref,) = endpoint_index(world.db, world.view.outbound).values()
        assert getattr(ref.key, "locality") == expected  # noqa: B009 - keys are typed as hashable only
