"""Durations in the two spellings that meet in configuration: Go's (``1h30m``, flags, environment, annotations) and
protobuf's JSON (``1.500s``)."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["DurationError", "format_duration", "parse_duration"]

_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART: Final = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")


class DurationError(ValueError):
    """A text is no duration; the message says what was wanted."""


def parse_duration(text: str) -> float:
    """Seconds from a Go duration; protobuf's form is a subset of it.

    Raises:
        DurationError: not a duration.
    """
    sign, rest = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    if rest == "0":
        return 0.0
    total, at = 0.0, 0
    while at < len(rest):
        match = _PART.match(rest, at)
        if match is None:
            break
        total += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    if not rest or at != len(rest):
        raise DurationError(f"{text!r} is no duration, want a form such as 300ms, 5s or 1h30m")
    return sign * total


def format_duration(seconds: float) -> str:
    """Protobuf's JSON form: whole seconds without a fraction, otherwise 3, 6 or 9 digits."""
    nanos = round(seconds * 1e9)
    sign, nanos = ("-", -nanos) if nanos < 0 else ("", nanos)
    whole, fraction = divmod(nanos, 1_000_000_000)
    if not fraction:
        return f"{sign}{whole}s"
    digits = f"{fraction:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{sign}{whole}.{digits}s"
