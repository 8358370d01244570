"""Traffic policy laid over a cluster."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from discovery.registry.service import Port, Protocol
from discovery.schema.destination_rule import (
    ConnectionPoolSettings,
    H2UpgradePolicy,
    HTTPSettings,
    LoadBalancerSettings,
    SimpleLB,
    TcpKeepalive,
    TCPSettings,
    TrafficPolicy,
)
from discovery.translate.clusters.policy import (
    HTTP_OPTIONS,
    UNLIMITED,
    apply_policy,
    circuit_breakers,
    http_protocol_options,
    speaks_http2,
)
from discovery.wire.envoy import Cluster, HttpProtocolOptions

HTTP = Port("http", 80, Protocol.HTTP)


def test_what_is_not_limited_is_unlimited() -> None:
    """Envoy's own default of 1024 would surprise users of a mesh."""
    (threshold,) = circuit_breakers(None)["thresholds"]
    assert {limit["value"] for limit in threshold.values()} == {UNLIMITED}
    pool = ConnectionPoolSettings(tcp=TCPSettings(max_connections=7), http=HTTPSettings(http2_max_requests=8))
    (threshold,) = circuit_breakers(pool)["thresholds"]
    assert (threshold["max_connections"]["value"], threshold["max_requests"]["value"]) == (7, 8)


def options(port: Port | None, http: HTTPSettings | None = None, *, upgrade: bool = False) -> Any:
    found = http_protocol_options(port, ConnectionPoolSettings(http=http), upgrade=upgrade)
    return None if found is None else HttpProtocolOptions.FromString(found[HTTP_OPTIONS]["value"])


def test_protocol_by_port() -> None:
    """HTTP/1 needs no words, HTTP/2 is told, and what is sniffed follows the client."""
    assert options(HTTP) is None
    assert options(Port("grpc", 80, Protocol.GRPC)).explicit_http_config.HasField("http2_protocol_options")
    assert options(Port("x", 80, Protocol.UNSUPPORTED)).HasField("use_downstream_protocol_config")
    assert options(HTTP, HTTPSettings(use_client_protocol=True)).HasField("use_downstream_protocol_config")


@pytest.mark.parametrize(
    ("policy", "upgrade", "expected"),
    [
        (H2UpgradePolicy.UPGRADE, False, True),
        (H2UpgradePolicy.DEFAULT, True, True),
        (H2UpgradePolicy.DO_NOT_UPGRADE, True, False),
        (H2UpgradePolicy.DEFAULT, False, False),
    ],
)
def test_upgrade_by_rule_else_by_mesh(policy: H2UpgradePolicy, upgrade: bool, expected: bool) -> None:
    """A rule may opt out of what the mesh asks for."""
    assert speaks_http2(HTTP, HTTPSettings(h2_upgrade_policy=policy), upgrade=upgrade) is expected


@pytest.mark.parametrize("simple", SimpleLB)
def test_every_load_balancer_is_known_to_envoy(simple: SimpleLB) -> None:
    """Each has a policy; PASSTHROUGH takes the endpoints away."""
    cluster: dict[str, Any] = {"type": "EDS", "eds_cluster_config": {}, "common_lb_config": {}}
    apply_policy(cluster, TrafficPolicy(load_balancer=LoadBalancerSettings(simple=simple)), HTTP)
    Cluster(**cluster)
    assert ("eds_cluster_config" in cluster) is (simple is not SimpleLB.PASSTHROUGH)


def test_times_of_keepalive_are_bounded() -> None:
    """As many seconds as a number of 32 bits has."""
    alive = TcpKeepalive(time=timedelta(hours=9_999_999), interval=timedelta(seconds=1))
    cluster: dict[str, Any] = {"type": "EDS", "common_lb_config": {}}
    pool = ConnectionPoolSettings(tcp=TCPSettings(tcp_keepalive=alive))
    apply_policy(cluster, TrafficPolicy(connection_pool=pool), HTTP)
    assert Cluster(**cluster).upstream_connection_options.tcp_keepalive.keepalive_time.value == UNLIMITED
