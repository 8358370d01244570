"""Views of proxies have istiod's shapes."""

from __future__ import annotations

import json
from typing import Any

from discovery.debug.json_stream import render_json
from discovery.debug.proxies import adsz, connections, instancesz, syncz
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE
from tests.kit.debug_world import DebugWorld


def read(answer: Any) -> Any:
    return json.loads(b"".join(render_json(answer, pretty=False)))


def test_connections() -> None:
    """Id, since when, from where; sorted by id."""
    world = DebugWorld()
    world.connect("web-2.shop")
    world.connect("web-1.shop")
    found = connections(world.connections)
    assert found["totalClients"] == 2
    assert found["clients"][0] == {
        "connectionId": "web-1.shop-2",
        "connectedAt": "2026-01-01T00:01:40.000Z",
        "address": "ipv4:10.2.0.1:5000",
    }
    assert [client["connectionId"] for client in found["clients"]] == ["web-1.shop-2", "web-2.shop-1"]


def test_adsz_names_what_is_watched() -> None:
    """Node facts and, by type, the names that a proxy is served; of one proxy if that is asked."""
    world = DebugWorld()
    world.connect("web-1.shop")
    world.connect("other-1.shop", ip="10.2.0.9")
    found = read(adsz(world.connections, proxy_id="web-1").value)
    assert found["totalClients"] == 1
    client = found["clients"][0]
    assert client["metadata"]["ISTIO_VERSION"] == "1.30.0"
    assert set(client["watches"]) == {CLUSTER, ENDPOINT, LISTENER, ROUTE}
    assert "outbound|80||web.shop.svc.cluster.local" in client["watches"][CLUSTER]


def test_syncz_of_a_proxy_that_has_everything() -> None:
    """Nonces sent and acknowledged are equal, and the status says so."""
    world = DebugWorld()
    world.connect()
    (row,) = syncz(world.connections)
    assert row["proxy"] == "web-1.shop"
    assert (row["cluster_id"], row["proxy_type"], row["istio_version"]) == ("Kubernetes", "sidecar", "1.30.0")
    for column in ("cluster", "listener", "route", "endpoint"):
        assert row[f"{column}_sent"] == row[f"{column}_acked"] != ""
    assert {state["status"] for state in row["resources"].values()} == {"SYNCED"}


def test_syncz_tells_rejection_and_lag() -> None:
    """A rejected type is an error with its reason; one with more to send is stale."""
    world = DebugWorld()
    world.connect(rejects=[LISTENER])
    world.apply(
        "{apiVersion: v1, kind: Service, metadata: {name: new, namespace: shop}, "
        "spec: {clusterIP: 10.1.0.3, ports: [{name: http, port: 80}]}}"
    )
    (row,) = syncz(world.connections)
    assert row["resources"][LISTENER]["status"] == "ERROR"
    assert row["resources"][LISTENER]["lastError"] == "no such filter"
    assert row["resources"][CLUSTER]["status"] == "STALE"


def test_syncz_does_not_call_synced_what_cannot_be_rendered() -> None:
    """What the proxy holds is older than the configuration; the reason is told, other types are not concerned."""
    world = DebugWorld()
    world.connect()
    (clusters,) = (
        table
        for table in world.world.tables
        if "outbound|80||web.shop.svc.cluster.local" in table.resources and table.key.type_url == CLUSTER
    )
    clusters.failures["outbound|80||web.shop.svc.cluster.local"] = "no policy"
    (row,) = syncz(world.connections)
    state = row["resources"][CLUSTER]
    assert state["status"] == "STALE"
    assert state["lastError"].endswith("outbound|80||web.shop.svc.cluster.local: no policy")
    assert row["resources"][LISTENER]["status"] == "SYNCED"


def test_syncz_of_a_namespace() -> None:
    """Only proxies of it."""
    world = DebugWorld()
    world.connect("web-1.shop")
    world.connect("till-1.bank", ip="10.2.0.9")
    assert [row["proxy"] for row in syncz(world.connections, namespace="bank")] == ["till-1.bank"]


def test_instances_are_what_a_workload_serves() -> None:
    """The service port, and the port that the workload listens on for it."""
    world = DebugWorld()
    connection = world.connect()
    (instance,) = instancesz(world.connections)[connection.id]
    assert instance["Service"] == {"hostname": "web.shop.svc.cluster.local", "namespace": "shop"}
    assert instance["Port"] == {
        "ServicePort": {"name": "http", "port": 80, "protocol": "HTTP"},
        "TargetPort": 8080,
    }
