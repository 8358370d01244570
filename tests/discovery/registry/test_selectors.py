from __future__ import annotations

import pytest

from discovery.registry.selectors import matches


@pytest.mark.parametrize(
    ("selector", "labels", "wanted"),
    [
        ({}, {}, True),
        ({}, {"a": "1"}, True),
        ({"a": "1"}, {"a": "1", "b": "2"}, True),
        ({"a": "1"}, {"a": "2"}, False),
        ({"a": ""}, {}, False),
    ],
)
def test_a_selector_asks_for_pairs(selector: dict[str, str], labels: dict[str, str], *, wanted: bool) -> None:
    """Every pair must be there; the empty selector asks for nothing."""
    assert matches(selector, labels) is wanted
