"""What a proxy may see."""

from __future__ import annotations

from typing import Any

from discovery.debug.sidecarz import sidecarz
from tests.kit.debug_world import SHOP, DebugWorld

LIMITED = (
    SHOP
    + """
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: narrow, namespace: shop}
spec:
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
  egress:
  - port: {number: 80, protocol: HTTP, name: http}
    bind: 127.0.0.1
    hosts: ["./web.shop.svc.cluster.local"]
"""
)


def shown(text: str) -> dict[str, Any]:
    world = DebugWorld(text)
    world.connect()
    connection = world.connections.find("web-1")
    assert connection is not None
    return sidecarz(world.db, connection)


def test_without_a_sidecar_everything_is_seen() -> None:
    """Under the name that istiod gives the default."""
    found = shown(SHOP)
    assert (found["name"], found["namespace"]) == ("default-sidecar", "shop")
    assert {service["hostname"].partition(".")[0] for service in found["services"]} == {"web", "other"}
    assert found["outboundTrafficPolicy"] == {"mode": "ALLOW_ANY"}


def test_a_sidecar_is_named_with_what_it_imports() -> None:
    """Listener by listener."""
    found = shown(LIMITED)
    assert (found["name"], found["outboundTrafficPolicy"]["mode"]) == ("narrow", "REGISTRY_ONLY")
    assert found["services"] == [{"hostname": "web.shop.svc.cluster.local", "namespace": "shop"}]
    (listener,) = found["egressListeners"]
    assert listener["port"] == {"number": 80, "protocol": "HTTP", "name": "http"}
    assert listener["bind"] == "127.0.0.1"
