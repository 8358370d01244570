"""Durations as users write them: proto-JSON seconds (``1.5s``) and Go's sums of units (``1h30m``).

Spec: https://pkg.go.dev/time#ParseDuration
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

__all__ = ["parse_duration", "render_duration"]

_UNITS_US: Final = {"ns": 0.001, "us": 1, "µs": 1, "μs": 1, "ms": 1e3, "s": 1e6, "m": 60e6, "h": 3600e6}
_PART: Final = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_WHOLE: Final = re.compile(rf"[+-]?(?:(?:{_PART.pattern})+|0)", re.ASCII)


def parse_duration(text: str) -> timedelta | None:
    """The duration written in ``text``, to the microsecond; None when it cannot be read."""
    if _WHOLE.fullmatch(text) is None:
        return None
    microseconds = sum(float(number) * _UNITS_US[unit] for number, unit in _PART.findall(text))
    try:
        return timedelta(microseconds=-microseconds if text.startswith("-") else microseconds)
    except OverflowError:
        return None


def render_duration(value: timedelta) -> str:
    """The proto-JSON form: seconds with as many decimals as it takes, ``1.5s``."""
    whole, micros = divmod(abs(value) // timedelta(microseconds=1), 1_000_000)
    sign = "-" if value < timedelta(0) else ""
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    return f"{sign}{whole}{fraction}s"
