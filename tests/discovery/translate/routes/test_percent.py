"""Shares of requests."""

from __future__ import annotations

import pytest

from discovery.schema.virtual_service import Percent
from discovery.translate.routes.percent import ALL, fraction, whole_percent


@pytest.mark.parametrize(("percent", "millionths"), [(100, 1_000_000), (0.0001, 1), (4.35, 43_500), (0, 0)])
def test_fractions_are_millionths(percent: float, millionths: int) -> None:
    """Four digits after the point survive, whatever floating point makes of them."""
    assert fraction(Percent(value=percent)) == {"numerator": millionths, "denominator": "MILLION"}


def test_whole_percents() -> None:
    """The deprecated fields hold whole percents."""
    assert whole_percent(7) == {"numerator": 7, "denominator": "HUNDRED"}
    assert whole_percent(100) == ALL
