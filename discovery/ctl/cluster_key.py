"""Cluster names taken apart for display; looser than the wire grammar, for they may come from other control planes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["ClusterKey", "managed_by", "parse_cluster_key"]


class ClusterKey(NamedTuple):
    """``<direction>|<port>|<subset>|<host>``; of another name only ``host`` is set. Sorts as tables do."""

    host: str
    subset: str = ""
    port: int = 0
    direction: str = ""


def parse_cluster_key(name: str) -> ClusterKey:
    """Take a name apart."""
    parts = name.split("|")
    if len(parts) != 4:
        return ClusterKey(name)
    direction, port, subset, host = parts
    return ClusterKey(host, subset, int(port) if port.isdecimal() else 0, direction)


def managed_by(resource: Mapping[str, Any]) -> str:
    """``name.namespace`` of the object that a cluster or route says it came from; empty where it says nothing."""
    config = resource.get("metadata", {}).get("filterMetadata", {}).get("istio", {}).get("config", "")
    parts = str(config).split("/")
    return f"{parts[7]}.{parts[5]}" if len(parts) == 8 and parts[1] == "apis" else ""
