"""Clusters as a table."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.ctl.dump import Dump
from discovery.ctl.views.clusters import chosen_clusters, clusters_table

NAMES = ["outbound|80||web.shop", "outbound|80|v1|web.shop", "BlackHoleCluster", "inbound|8080||"]


def dump() -> Dump:
    entries = [{"cluster": {"name": name, "type": "EDS"}} for name in NAMES]
    kind = "type.googleapis.com/envoy.admin.v3.ClustersConfigDump"
    return Dump({"configs": [{"@type": kind, "dynamicActiveClusters": entries}]})


def test_rows_are_sorted_by_host() -> None:
    """What a name does not say is a dash."""
    lines = clusters_table(chosen_clusters(dump())).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["8080", "-", "inbound", "EDS"],
        ["BlackHoleCluster", "-", "-", "-", "EDS"],
        ["web.shop", "80", "-", "outbound", "EDS"],
        ["web.shop", "80", "v1", "outbound", "EDS"],
    ]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [({"fqdn": "web.shop"}, 2), ({"subset": "v1"}, 1), ({"port": 80}, 2), ({"direction": "inbound"}, 1)],
)
def test_parts_of_the_name_choose(wanted: dict[str, Any], count: int) -> None:
    """Each part on its own."""
    assert len(chosen_clusters(dump(), **wanted)) == count


def test_a_prefix_puts_the_name_first() -> None:
    """On the page with everything."""
    assert "cluster/BlackHoleCluster" in clusters_table(chosen_clusters(dump()), prefix="cluster/")


def test_own_cluster_types_are_named() -> None:
    """ORIGINAL_DST is a type, an extension has a name, nothing is STATIC."""
    shown = clusters_table([{"name": "a", "clusterType": {"name": "envoy.clusters.x"}}, {"name": "b"}])
    assert "envoy.clusters.x" in shown
    assert "STATIC" in shown
