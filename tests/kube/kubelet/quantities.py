"""Resource quantities such as `100m` and `1Gi`.

Spec: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

__all__ = ["parse_quantity", "render_share"]

_SUFFIXES: Final = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** (power + 1) for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"))},
    **{suffix: Decimal(1024) ** (power + 1) for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))},
}


def parse_quantity(text: str) -> Decimal:
    """The number that a quantity stands for.

    Raises:
        ValueError: it is none.
    """
    digits = text.rstrip("numkMGTPEi")
    try:
        return Decimal(digits) * _SUFFIXES[text[len(digits) :]]
    except (ArithmeticError, KeyError):
        raise ValueError(f"{text!r} is no quantity") from None


def render_share(quantity: str, divisor: str) -> str:
    """A resource field as a container sees it: in units of the divisor, rounded up."""
    unit = parse_quantity(divisor or "1") or Decimal(1)
    return str(math.ceil(parse_quantity(quantity) / unit))
