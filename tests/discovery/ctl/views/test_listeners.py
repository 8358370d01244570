"""Listeners as a table."""

from __future__ import annotations

from typing import Any

from discovery.ctl.dump import Dump
from discovery.ctl.views.listeners import chosen_listeners, listener_type, listeners_table

HTTP = "envoy.filters.network.http_connection_manager"
TCP = "envoy.filters.network.tcp_proxy"


def listener(port: int, *chains: dict[str, Any], default: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": f"l{port}",
        "address": {"socketAddress": {"address": "0.0.0.0", "portValue": port}},
        "filterChains": list(chains),
    }
    return found | ({"defaultFilterChain": default} if default else {})


def chain(name: str, config: dict[str, Any], **match: Any) -> dict[str, Any]:
    return {"filterChainMatch": match, "filters": [{"name": name, "typedConfig": config}]}


def rows(*listeners: dict[str, Any]) -> list[str]:
    return [" ".join(line.split()) for line in listeners_table(list(listeners)).splitlines()[1:]]


def test_what_is_matched_and_where_it_goes() -> None:
    """One row for each chain, the default one included."""
    found = rows(
        listener(
            80,
            chain(HTTP, {"rds": {"routeConfigName": "80"}}, transportProtocol="raw_buffer"),
            default=chain(TCP, {"cluster": "PassthroughCluster"}),
        )
    )
    assert found == ["0.0.0.0 80 Trans: raw_buffer Route: 80", "0.0.0.0 80 ALL PassthroughCluster"]


def test_matches_are_told_in_order() -> None:
    """Server names, transport, application protocols by a word where there is one, addresses and port."""
    match = {
        "serverNames": ["a", "b"],
        "transportProtocol": "tls",
        "applicationProtocols": ["istio-peer-exchange", "istio"],
        "prefixRanges": [{"addressPrefix": "10.0.0.0", "prefixLen": 8}],
        "destinationPort": 443,
    }
    (row,) = rows(listener(1, chain(TCP, {"cluster": "outbound|443||db"}, **match)))
    assert row == "0.0.0.0 1 SNI: a,b; Trans: tls; App: TCP TLS; Addr: 10.0.0.0/8:443 Cluster: outbound|443||db"


def test_inline_routes() -> None:
    """A route to one cluster is that cluster; others list their paths, with domains where they are not all."""
    to = {"match": {"prefix": "/"}, "route": {"cluster": "inbound|8080||"}}
    one = {"routeConfig": {"virtualHosts": [{"domains": ["*"], "routes": [to]}]}}
    two = {"routeConfig": {"virtualHosts": [{"domains": ["a", "b"], "routes": [to, {"match": {"path": "/x"}}]}]}}
    assert rows(listener(1, chain(HTTP, one))) == ["0.0.0.0 1 ALL Cluster: inbound|8080||"]
    assert rows(listener(1, chain(HTTP, two))) == ["0.0.0.0 1 ALL Inline Route: a/b /*, /x"]


def test_other_destinations() -> None:
    """Weighted clusters are listed; what only drops is neither HTTP nor TCP."""
    weighted = {"weightedClusters": {"clusters": [{"name": "a", "weight": 9}, {"name": "b", "weight": 1}]}}
    assert rows(listener(1, chain(TCP, weighted))) == ["0.0.0.0 1 ALL Clusters: a 9, b 1"]
    assert rows(listener(1, chain(TCP, {"cluster": "BlackHoleCluster"}))) == ["0.0.0.0 1 ALL Non-HTTP/Non-TCP"]


def test_types() -> None:
    """By the filters of all chains."""
    http, tcp = chain(HTTP, {}), chain(TCP, {"cluster": "x"})
    assert listener_type(listener(1, http)) == "HTTP"
    assert listener_type(listener(1, http, tcp)) == "HTTP+TCP"
    assert listener_type(listener(1, chain(TCP, {"cluster": "BlackHoleCluster"}))) == "UNKNOWN"


def test_chosen_and_sorted() -> None:
    """By port; address, port and type choose."""
    entries = [{"activeState": {"listener": listener(port, chain(HTTP, {}))}} for port in (90, 80)]
    kind = "type.googleapis.com/envoy.admin.v3.ListenersConfigDump"
    dump = Dump({"configs": [{"@type": kind, "dynamicListeners": entries}]})
    assert [found["name"] for found in chosen_listeners(dump)] == ["l80", "l90"]
    assert [found["name"] for found in chosen_listeners(dump, port=90, kind="http", address="0.0.0.0")] == ["l90"]
    assert chosen_listeners(dump, kind="TCP") == []
