"""Views of configuration, services and endpoints."""

from __future__ import annotations

import json
from typing import Any

from discovery.debug.json_stream import Living, render_json
from discovery.debug.registry import configz, endpointz, registryz
from tests.kit.debug_world import DebugWorld

HOST = "web.shop.svc.cluster.local"


def read(answer: Any) -> Any:
    value = answer.value if isinstance(answer, Living) else answer
    return json.loads(b"".join(render_json(value, pretty=False)))


def test_configz_has_objects_as_they_were_written() -> None:
    """In CRD form; objects of Kubernetes itself are not the mesh's configuration."""
    found = read(configz(DebugWorld().store.objects))
    assert [(item["kind"], item["metadata"]["name"]) for item in found] == [
        ("DestinationRule", "web"),
        ("PeerAuthentication", "default"),
    ]
    assert found[0]["apiVersion"] == "networking.istio.io/v1"
    assert found[0]["spec"]["trafficPolicy"] == {"connectionPool": {"tcp": {"maxConnections": 7}}}


def test_registryz_has_istiods_names() -> None:
    """Go field names and numbers, for tools match them; one host if it is given."""
    world = DebugWorld()
    assert len(read(registryz(world.db))) == 2
    (found,) = read(registryz(world.db, host=HOST))
    assert found["hostname"] == HOST
    assert found["Attributes"]["Namespace"] == "shop"
    assert found["ports"] == [{"name": "http", "port": 80, "protocol": "HTTP"}]
    assert found["defaultAddress"] == "10.1.0.1"
    assert found["Resolution"] == 0
    assert found["MeshExternal"] is False


def test_endpointz_by_host_namespace_and_registry() -> None:
    """Shards are named by provider and cluster."""
    found = read(endpointz(DebugWorld().db, host=HOST))
    (endpoint,) = found[HOST]["shop"]["Shards"]["Kubernetes/Kubernetes"]
    assert endpoint["Addresses"] == ["10.2.0.1"]
    assert (endpoint["EndpointPort"], endpoint["ServicePortName"]) == (8080, "http")
    assert "ServiceAccounts" in found[HOST]["shop"]
