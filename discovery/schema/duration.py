"""Durations as configuration objects write them: read to ``timedelta``, to the microsecond."""

from __future__ import annotations

from datetime import timedelta

from discovery.wire import durations

__all__ = ["parse_duration"]


def parse_duration(text: str) -> timedelta | None:
    """The duration written in ``text`` (proto-JSON seconds or Go's sum of units); None when it cannot be read."""
    try:
        return timedelta(microseconds=round(durations.parse_duration(text) * 1e6))
    except (durations.DurationError, OverflowError):
        return None
