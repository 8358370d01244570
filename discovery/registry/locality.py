"""Where workloads are, as ``region/zone/subzone``: from nodes, from a pod's label, from a WorkloadEntry."""

from __future__ import annotations

from collections.abc import Mapping

from discovery.wire.labels import LOCALITY_LEGACY, REGION, SUBZONE, ZONE

__all__ = ["join_locality", "locality_labels", "locality_of_node", "locality_of_pod", "parse_locality_label"]

_SEPARATOR_IN_LABELS = "."  # a label value may not contain "/"


def join_locality(region: str, zone: str = "", subzone: str = "") -> str:
    """``region/zone/subzone`` without trailing empty parts; a zone without region is kept behind an empty one."""
    return f"{region}/{zone}/{subzone}".rstrip("/")


def parse_locality_label(value: str) -> str:
    """The locality that a label states: with dots for slashes, unless it is already written with slashes."""
    return value if "/" in value else value.replace(_SEPARATOR_IN_LABELS, "/")


def locality_of_node(labels: Mapping[str, str]) -> str:
    """The locality of a Kubernetes node, by its topology labels."""
    return join_locality(labels.get(REGION, ""), labels.get(ZONE, ""), labels.get(SUBZONE, ""))


def locality_of_pod(labels: Mapping[str, str], node_labels: Mapping[str, str]) -> str:
    """The locality of a pod: its own label wins over its node's topology."""
    stated = labels.get(LOCALITY_LEGACY, "")
    return parse_locality_label(stated) if stated else locality_of_node(node_labels)


def locality_labels(locality: str) -> dict[str, str]:
    """The topology labels that say the same as ``locality``; empty parts have none."""
    parts = [*locality.split("/", 2), "", "", ""]
    return {label: part for label, part in zip((REGION, ZONE, SUBZONE), parts, strict=False) if part}
