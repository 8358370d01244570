"""Clusters (CDS): one per service port and subset that a scope sees, the workload's own, and the fixed ones."""

from discovery.translate.clusters.index import inbound_cluster_index, outbound_cluster_index

__all__ = ["inbound_cluster_index", "outbound_cluster_index"]
