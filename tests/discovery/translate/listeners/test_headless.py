from __future__ import annotations

from discovery.mesh.endpoints import ServicePort
from discovery.registry.service import ServiceRef
from discovery.translate.listeners.headless import instance_addresses
from tests.kit.world import World

ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: cache, namespace: shop}}
spec:
  hosts: [cache.example]
  resolution: STATIC
  ports: [{{number: 6379, name: tcp, protocol: TCP}}]
  endpoints: [{{address: 10.1.0.2, weight: {weight}}}, {{address: 10.1.0.1}}, {{address: "unix:///run/c.sock"}}]
"""
AT = ServicePort(ServiceRef("cache.example", "shop"), 6379)


def test_addresses_are_sorted_and_sockets_left_out() -> None:
    """Only what a caller can dial by IP gets a listener."""
    assert instance_addresses(World(ENTRY.format(weight=1)).db, AT) == ("10.1.0.1", "10.1.0.2")


def test_weights_do_not_matter() -> None:
    """A change in endpoints other than of addresses is cut off here."""
    first, second = (instance_addresses(World(ENTRY.format(weight=weight)).db, AT) for weight in (1, 7))
    assert first == second
