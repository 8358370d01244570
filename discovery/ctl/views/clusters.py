"""Clusters as a table."""

from __future__ import annotations

from typing import Any

from discovery.ctl.cluster_key import ClusterKey, managed_by, parse_cluster_key
from discovery.ctl.dump import Dump
from discovery.ctl.table import render_table

__all__ = ["chosen_clusters", "clusters_table"]

_HEADER = ("SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE")


def chosen_clusters(
    dump: Dump, *, fqdn: str = "", port: int = 0, subset: str = "", direction: str = ""
) -> list[dict[str, Any]]:
    """Clusters with the parts of their names given, sorted by host."""
    found = []
    for cluster in dump.clusters():
        key = parse_cluster_key(cluster.get("name", ""))
        wanted = ClusterKey(fqdn or key.host, subset or key.subset, port or key.port, direction or key.direction)
        if key == wanted:
            found.append(cluster)
    return sorted(found, key=lambda cluster: parse_cluster_key(cluster.get("name", "")))


def clusters_table(clusters: list[dict[str, Any]], *, prefix: str = "") -> str:
    """One row for each; with a prefix (``cluster/``) the whole name comes first."""
    rows = []
    for cluster in clusters:
        name = cluster.get("name", "")
        key = parse_cluster_key(name)
        kind = cluster.get("type") or cluster.get("clusterType", {}).get("name", "") or "STATIC"
        host = key.host if key.direction else prefix + key.host
        row = (host, str(key.port or "-"), key.subset or "-", key.direction or "-", kind, managed_by(cluster))
        rows.append((prefix + name, *row) if prefix else row)
    return render_table(("NAME", *_HEADER) if prefix else _HEADER, rows)
