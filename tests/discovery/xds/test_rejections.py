"""The last rejections, bounded."""

from __future__ import annotations

from datetime import UTC, datetime

from discovery.wire.type_urls import CLUSTER
from discovery.xds.rejections import Rejection, Rejections
from discovery.xds.world import Rejected


def test_the_newest_are_kept_and_all_are_counted() -> None:
    """A storm of rejections costs no memory."""
    rejections = Rejections(limit=2)
    for number in range(5):
        what = Rejected(CLUSTER, str(number), ("a",), ("1",), "bad")
        rejections.add(Rejection(at=datetime(2026, 1, 1, tzinfo=UTC), connection="a-1", what=what))
    assert [rejection.what.nonce for rejection in rejections] == ["4", "3"]
    assert (len(rejections), rejections.total) == (2, 5)
