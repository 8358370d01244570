"""How much there is."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from discovery.store.gauges import StoreGauges
from tests.kit.world import World

OBJECTS = """
apiVersion: v1
kind: Service
metadata: {name: a, namespace: one}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: a, namespace: two}
spec: {clusterIP: 10.0.0.2, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: b, namespace: two}
spec: {hosts: [b.example], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: c, namespace: two}
spec: {hosts: [a], http: [{route: [{destination: {host: a}}]}]}
"""


def test_objects_of_all_namespaces_are_counted() -> None:
    """As they are when metrics are asked for."""
    registry = CollectorRegistry()
    StoreGauges(World().db, registry)
    assert registry.get_sample_value("pilot_services") == 0
    registry = CollectorRegistry()
    StoreGauges(World(OBJECTS).db, registry)
    assert registry.get_sample_value("pilot_services") == 3
    assert registry.get_sample_value("pilot_virt_services") == 1
