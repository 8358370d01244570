"""Cluster names for display."""

from __future__ import annotations

import pytest

from discovery.ctl.cluster_key import ClusterKey, managed_by, parse_cluster_key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("outbound|80|v1|web.shop", ClusterKey("web.shop", "v1", 80, "outbound")),
        ("inbound|8080||", ClusterKey("", "", 8080, "inbound")),
        ("inbound-vip|80|http|web.shop", ClusterKey("web.shop", "http", 80, "inbound-vip")),
        ("BlackHoleCluster", ClusterKey("BlackHoleCluster")),
        ("a|b|c|d|e", ClusterKey("a|b|c|d|e")),
    ],
)
def test_names_are_taken_apart(name: str, key: ClusterKey) -> None:
    """Names of other forms stay whole."""
    assert parse_cluster_key(name) == key


def test_managed_by_reads_the_configuration_path() -> None:
    """`name.namespace` as tables have it; nothing where nothing is said."""
    path = "/apis/networking.istio.io/v1/namespaces/shop/destination-rule/web"
    assert managed_by({"metadata": {"filterMetadata": {"istio": {"config": path}}}}) == "web.shop"
    assert managed_by({"metadata": {"filterMetadata": {"istio": {"config": "elsewhere"}}}}) == ""
    assert managed_by({}) == ""
