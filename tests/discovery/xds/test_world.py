"""What all streams share starts empty, and a response is joined when it is written."""

from __future__ import annotations

from discovery.engine import Database
from discovery.wire.type_urls import CLUSTER
from discovery.xds.world import Limits, Send, World
from tests.kit.xds_world import HandMade


def test_a_new_world_is_empty_and_has_the_limits_given() -> None:
    """Nothing is computed before somebody asks."""
    world = World.of(Database(), HandMade(), Limits(max_names=3))
    assert (len(world.tables), world.limits.max_names, world.db.stats().runs) == (0, 3, 0)


def test_a_response_is_its_pieces() -> None:
    """They are shared, so that a thousand waiting streams hold them once."""
    send = Send(CLUSTER, (b"ab", b"c"), 1)
    assert (send.size, send.data()) == (3, b"abc")
