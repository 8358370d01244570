"""Both protocols fit the one seam."""

from __future__ import annotations

import pytest

from discovery.wire.type_urls import CLUSTER, ENDPOINT
from discovery.xds.delta import Delta
from discovery.xds.names import NameSets
from discovery.xds.request import Request
from discovery.xds.sotw import StateOfTheWorld
from discovery.xds.variant import WILDCARD, Variant


@pytest.mark.parametrize("variant", [Delta(), StateOfTheWorld()])
def test_the_wildcard_is_the_same_in_both(variant: Variant) -> None:
    """`*` and, for clusters, nothing at all."""
    sets = NameSets()
    for wanted in (frozenset[str](), frozenset({WILDCARD})):
        request = Request(type_url=CLUSTER, names=wanted, subscribe=wanted)
        assert variant.first(request, sets).names is sets.of(frozenset(), wildcard=True)
    request = Request(type_url=ENDPOINT, names=frozenset("a"), subscribe=frozenset("a"))
    assert variant.first(request, sets).names is sets.of(frozenset("a"), wildcard=False)
