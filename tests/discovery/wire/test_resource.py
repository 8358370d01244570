"""Resources: bytes, versions that are hashes of them, and the two frames they travel in."""

from __future__ import annotations

from discovery.wire.envoy import AnyMessage, Cluster, Resource
from discovery.wire.resource import content_version, resource
from discovery.wire.type_urls import CLUSTER


def test_equal_content_has_an_equal_version() -> None:
    """On every replica and after every restart; other content has another."""
    one, same = resource(CLUSTER, "a", Cluster(name="a")), resource(CLUSTER, "a", Cluster(name="a"))
    assert one == same
    assert one.version == content_version(one.value) != resource(CLUSTER, "a", Cluster(name="b")).version
    assert len(one.version) == 16


def test_frames_are_what_clients_decode() -> None:
    """Any for state of the world, Resource for delta."""
    made = resource(CLUSTER, "a", Cluster(name="a"))
    packed = AnyMessage.FromString(made.any_bytes())
    assert (packed.type_url, Cluster.FromString(packed.value).name) == (CLUSTER, "a")
    framed = Resource.FromString(made.delta_bytes())
    assert (framed.name, framed.version, framed.resource) == ("a", made.version, packed)
