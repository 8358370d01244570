"""Functions on numbers. Whole numbers are made of whatever looks like one, as Sprig does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from discovery.inject.gotemplate.values import plain, show

__all__ = ["NUMBERS", "whole"]

_MAX_ITEMS: Final = 100_000


def whole(value: Any) -> int:
    """A whole number; 0 where the value is none."""
    value = plain(value)
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, float):
        return math.trunc(value)
    try:
        return int(str(value).strip(), 0)
    except ValueError:
        return math.trunc(_real(value))


def _real(value: Any) -> float:
    try:
        return float(plain(value))
    except (TypeError, ValueError):
        return 0.0


def _divide(dividend: Any, divisor: Any) -> int:
    return math.trunc(whole(dividend) / whole(divisor))


def _product(*values: Any) -> int:
    return math.prod(map(whole, values))


def _until(*bounds: Any) -> list[int]:
    numbers = range(*map(whole, bounds))
    if len(numbers) > _MAX_ITEMS:
        raise ValueError(f"a list of more than {_MAX_ITEMS} numbers")
    return list(numbers)


def _count(value: Any) -> list[int]:
    return _until(value) if whole(value) >= 0 else _until(0, value, -1)


def _seq(*bounds: Any) -> str:
    first, step, last = 1, 1, whole(bounds[-1])
    if len(bounds) > 1:
        first = whole(bounds[0])
    if len(bounds) > 2:
        step = whole(bounds[1])
    elif last < first:
        step = -1
    return " ".join(map(str, _until(first, last + (1 if step > 0 else -1), step)))


def _round(value: Any, digits: Any, *half: Any) -> float:
    del half  # where halves go: up, as ever
    scale = 10.0 ** whole(digits)
    return float(math.floor(_real(value) * scale + 0.5) / scale)


NUMBERS: Final[Mapping[str, Callable[..., Any]]] = {
    "add": lambda *values: sum(map(whole, values)),
    "add1": lambda value: whole(value) + 1,
    "atoi": lambda text: whole(show(text)),
    "ceil": lambda value: float(math.ceil(_real(value))),
    "div": _divide,
    "float64": _real,
    "floor": lambda value: float(math.floor(_real(value))),
    "int": whole,
    "int64": whole,
    "max": lambda first, *values: max(whole(first), *map(whole, values)) if values else whole(first),
    "min": lambda first, *values: min(whole(first), *map(whole, values)) if values else whole(first),
    "mod": lambda dividend, divisor: int(math.fmod(whole(dividend), whole(divisor))),
    "mul": _product,
    "round": _round,
    "seq": _seq,
    "sub": lambda left, right: whole(left) - whole(right),
    "toDecimal": lambda text: int(show(text), 8),
    "until": _count,
    "untilStep": _until,
}
