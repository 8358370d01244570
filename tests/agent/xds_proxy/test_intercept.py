"""Who consumes which type."""

from __future__ import annotations

import pytest

from agent.xds_proxy.intercept import index_intercepts


class Sink:
    """An intercept that takes everything."""

    def __init__(self, type_url: str) -> None:
        self.type_url = type_url
        self.taken: list[bytes] = []

    def handle(self, resource: bytes) -> None:
        self.taken.append(resource)


def test_order_of_registration_is_kept() -> None:
    """Intercepts subscribe in the order in which they were given."""
    assert list(index_intercepts([Sink("b"), Sink("a")])) == ["b", "a"]


def test_two_for_one_type_are_refused() -> None:
    """A type has one consumer; a second one is a mistake of the wiring and told at the start."""
    with pytest.raises(ValueError, match="two consume a"):
        index_intercepts([Sink("a"), Sink("a")])
