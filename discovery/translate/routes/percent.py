"""Shares of requests, as Envoy counts them."""

from __future__ import annotations

from typing import Any, Final

from discovery.schema.virtual_service import Percent

__all__ = ["ALL", "fraction", "whole_percent"]


def whole_percent(value: int) -> dict[str, Any]:
    """The keyword form of ``FractionalPercent`` for whole percents."""
    return {"numerator": value, "denominator": "HUNDRED"}


def fraction(percent: Percent) -> dict[str, Any]:
    """The keyword form of ``FractionalPercent``, in millionths: four digits after the point of a percentage."""
    return {"numerator": round(percent.value * 10_000), "denominator": "MILLION"}


ALL: Final = whole_percent(100)
