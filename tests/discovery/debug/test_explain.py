"""From a resource back to objects, lines and fields."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.debug.explain import UnknownResourceError
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER
from tests.kit.debug_world import DebugWorld

WEB = "outbound|80||web.shop.svc.cluster.local"


def explained(type_url: str, name: str, **options: Any) -> dict[str, Any]:
    world = DebugWorld()
    world.connect()
    connection = world.connections.find("web-1")
    assert connection is not None
    return world.content.explainer.explain(connection, type_url, name, **options)


def objects(found: dict[str, Any], *, decides: bool | None) -> dict[str, dict[str, Any]]:
    return {f"{row['kind']} {row['name']}": row for row in found["objects"] if row.get("decides") is decides}


def test_a_cluster_comes_from_its_service_and_rule() -> None:
    """With file and line, and of the rule the fields that matter; a service elsewhere is not named."""
    deciding = objects(explained(CLUSTER, WEB), decides=True)
    assert set(deciding) == {"Service web", "DestinationRule web"}
    assert deciding["Service web"]["file"] == "mesh.yaml"
    assert deciding["DestinationRule web"]["line"] == 4
    assert deciding["DestinationRule web"]["fields"] == [
        "spec.host",
        "spec.trafficPolicy.connectionPool.tcp.maxConnections",
    ]


def test_endpoints_come_from_their_slice() -> None:
    """The slice decides."""
    assert "EndpointSlice web-1" in objects(explained(ENDPOINT, WEB), decides=True)


def test_policies_that_enter_by_the_key_are_found() -> None:
    """The inbound listener is strict because of a PeerAuthentication, which rendering itself never reads."""
    deciding = objects(explained(LISTENER, "virtualInbound"), decides=True)
    assert deciding["PeerAuthentication default"]["fields"] == ["spec.mtls.mode"]


def test_what_decides_comes_first() -> None:
    """Then what was not examined, then what was only read."""
    rows = explained(CLUSTER, WEB)["objects"]
    order = [row.get("decides") for row in rows]
    assert order == sorted(order, key=[True, None, False].index)


def test_without_patience_nothing_is_claimed() -> None:
    """Objects are named all the same; whether they decide is left open."""
    found = explained(CLUSTER, WEB, enough=lambda: True)
    assert set(objects(found, decides=None)) >= {"Service web", "DestinationRule web"}
    assert objects(found, decides=True) == {}


def test_explaining_changes_nothing() -> None:
    """What-if questions are asked of a fork."""
    world = DebugWorld()
    world.connect()
    connection = world.connections.find("web-1")
    assert connection is not None
    before = (world.db.revision, connection.resources(CLUSTER)[WEB])
    world.content.explainer.explain(connection, CLUSTER, WEB)
    assert (world.db.revision, connection.resources(CLUSTER)[WEB]) == before


def test_unknown_resource_names_near_ones() -> None:
    """Nobody remembers the grammar of cluster names."""
    with pytest.raises(UnknownResourceError, match=r"near: outbound\|80\|\|web.shop"):
        explained(CLUSTER, "WEB.shop")
