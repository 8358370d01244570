"""Names of route configurations."""

from __future__ import annotations

import pytest

from discovery.mesh.proxy import ScopeKey
from discovery.schema.meta import Kind, ObjectKey
from discovery.translate.routes.names import RoutePlace, route_names
from tests.kit.world import World

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: a, namespace: shop}
spec:
  clusterIP: 10.0.0.1
  ports: [{port: 80, name: http}, {port: 81, name: other}, {port: 82, name: tcp}]
---
"""
HOST = "a.shop.svc.cluster.local"
SIDECAR = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: x, namespace: shop}
spec:
  egress:
  - {port: {number: %d, protocol: %s, name: p}, bind: "%s", hosts: ["*/*"]}
"""


def test_without_a_sidecar() -> None:
    """Every port with routes, every service with an undeclared protocol, and the forward proxy."""
    assert route_names(World(SERVICE).db, ScopeKey("shop", None)) == {
        "http_proxy": RoutePlace(0, 0),
        "80": RoutePlace(0, 80),
        "81": RoutePlace(0, 81),
        f"{HOST}:81": RoutePlace(0, 81, HOST),
    }


@pytest.mark.parametrize(
    ("port", "protocol", "bind", "names"),
    [
        (80, "HTTP", "", {"80": RoutePlace(0, 80)}),
        (9999, "HTTP", "127.0.0.1", {"9999": RoutePlace(0, 9999)}),
        (81, "", "", {"81": RoutePlace(0, 81), f"{HOST}:81": RoutePlace(0, 81, HOST)}),
        (82, "TCP", "", {}),
        (3128, "HTTP_PROXY", "", {"http_proxy": RoutePlace(0, 0)}),
        (0, "HTTP", "unix:///x", {"unix:///x": RoutePlace(0, 0)}),
    ],
)
def test_listeners_of_a_sidecar(port: int, protocol: str, bind: str, names: dict[str, RoutePlace]) -> None:
    """A listener on a port covers just that port, whether or not a service has it; sockets go by their path."""
    world = World(SERVICE + SIDECAR % (port, protocol or '""', bind))
    assert route_names(world.db, ScopeKey("shop", ObjectKey(Kind.SIDECAR, "shop", "x"))) == names
