"""Endpoints as a table."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.ctl.dump import Dump
from discovery.ctl.views.endpoints import EndpointFilter, chosen_assignments, endpoints_table


def endpoint(address: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"endpoint": {"address": address}, **more}


def dump() -> Dump:
    members = [
        endpoint({"socketAddress": {"address": "10.0.0.1", "portValue": 8080}}),
        endpoint({"socketAddress": {"address": "10.0.0.2", "portValue": 8080}}, healthStatus="UNHEALTHY"),
        endpoint({"pipe": {"path": "/run/socket"}}),
        endpoint({"envoyInternalAddress": {"serverListenerName": "inner", "endpointId": "x"}}),
    ]
    groups = [{"locality": {"region": "r", "zone": "z"}, "lbEndpoints": members}]
    entries = [
        {"endpointConfig": {"clusterName": "outbound|80||web.shop", "endpoints": groups}},
        {"endpointConfig": {"clusterName": "empty"}},
    ]
    kind = "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump"
    return Dump({"configs": [{"@type": kind, "dynamicEndpointConfigs": entries}]})


def test_every_kind_of_address_has_a_name() -> None:
    """Sockets, pipes and Envoy's internal listeners; clusters without endpoints have no row."""
    names = [line.split()[0] for line in endpoints_table(chosen_assignments(dump())).splitlines()[1:]]
    assert names == ["10.0.0.1:8080", "10.0.0.2:8080", "/run/socket", "envoy://inner/x"]


def test_health_and_locality() -> None:
    """An endpoint whose health is not said is healthy."""
    lines = endpoints_table(chosen_assignments(dump())).splitlines()
    assert lines[1].split()[1:] == ["HEALTHY", "r/z", "outbound|80||web.shop"]
    assert lines[2].split()[1] == "UNHEALTHY"


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (EndpointFilter(address="10.0.0.1"), 1),
        (EndpointFilter(port=8080), 2),
        (EndpointFilter(status="unhealthy"), 1),
        (EndpointFilter(cluster="outbound|80||web.shop"), 4),
        (EndpointFilter(cluster="else"), 0),
    ],
)
def test_filters(wanted: EndpointFilter, count: int) -> None:
    """Rows that are wanted, and no others."""
    assert len(endpoints_table(chosen_assignments(dump(), wanted), wanted).splitlines()) == count + 1
