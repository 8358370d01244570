from __future__ import annotations

import pytest

from discovery.registry.locality import (
    join_locality,
    locality_labels,
    locality_of_node,
    locality_of_pod,
    parse_locality_label,
)

NODE = {"topology.kubernetes.io/region": "eu", "topology.kubernetes.io/zone": "a", "topology.istio.io/subzone": "r1"}


def test_node_labels_are_the_locality() -> None:
    """Region, zone and subzone; what is missing at the end is left out."""
    assert locality_of_node(NODE) == "eu/a/r1"
    assert locality_of_node({"topology.kubernetes.io/region": "eu"}) == "eu"
    assert locality_of_node({}) == ""


def test_a_pods_own_label_wins() -> None:
    """Dots stand for slashes, which labels cannot hold."""
    assert locality_of_pod({"istio-locality": "us.b.r2"}, NODE) == "us/b/r2"
    assert locality_of_pod({}, NODE) == "eu/a/r1"
    assert parse_locality_label("us/b.c") == "us/b.c"


@pytest.mark.parametrize("locality", ["eu/a/r1", "eu/a", "eu", ""])
def test_labels_say_the_same_as_the_locality(locality: str) -> None:
    """There and back."""
    assert locality_of_node(locality_labels(locality)) == locality


def test_zone_without_region_keeps_its_place() -> None:
    """A zone is never read as a region."""
    assert join_locality("", "a") == "/a"
    assert locality_labels("/a") == {"topology.kubernetes.io/zone": "a"}
