from __future__ import annotations

from typing import Any

import pytest

from agent.bootstrap.addresses import AddressPlan
from agent.bootstrap.clusters import ClusterKey, Sockets, build_clusters
from discovery.wire.proxy_config import ProxyConfig, RemoteService, Tracer, Tracing


def _clusters(config: ProxyConfig, **given: Any) -> dict[str, dict[str, Any]]:
    sockets = given.pop("sockets", Sockets(xds="x/XDS", sds="s"))
    key = ClusterKey(config=config, addresses=AddressPlan(), sockets=sockets, **given)
    return {cluster["name"]: cluster for cluster in build_clusters(key)}


def test_what_is_always_there() -> None:
    """Statistics, the agent, secrets, configuration; each name ends in a semicolon in statistics."""
    clusters = _clusters(ProxyConfig(proxy_admin_port=1, status_port=2))
    assert list(clusters) == ["prometheus_stats", "agent", "sds-grpc", "xds-grpc"]
    assert all(cluster["alt_stat_name"] == f"{name};" for name, cluster in clusters.items())


@pytest.mark.parametrize(
    ("tracing", "name"),
    [
        (Tracing(zipkin=Tracer(address="z:1")), "zipkin"),
        (Tracing(lightstep=Tracer(address="l:1")), "lightstep"),
        (Tracing(datadog=Tracer(address="d:1")), "datadog_agent"),
    ],
)
def test_a_tracer_is_a_cluster(tracing: Tracing, name: str) -> None:
    """One for the tracer that is configured."""
    assert list(_clusters(ProxyConfig(tracing=tracing)))[-1] == name


def test_a_bad_address_is_an_error() -> None:
    """It names what was wanted."""
    with pytest.raises(ValueError, match="want host:port"):
        _clusters(ProxyConfig(envoy_metrics_service=RemoteService(address="nowhere")))


def test_optional_clusters() -> None:
    """A second SDS socket beside a foreign server; the own cluster for zone-aware routing."""
    clusters = _clusters(ProxyConfig(), sockets=Sockets(xds="x", sds="s", sds_files="f"), own_cluster="web.shop")
    assert "sds-files-grpc" in clusters
    assert clusters["local_cluster"]["eds_cluster_config"]["service_name"] == "web.shop"
