from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.schema.duration import parse_duration
from discovery.wire.durations import format_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1.5s", 1.5), ("0s", 0), ("0", 0), ("1h30m", 5400), ("100ms", 0.1), ("1500us", 0.0015), ("-2s", -2),
        ("+.5s", 0.5), ("1m0.5s", 60.5), ("2.s", 2),
    ],
)  # fmt: skip
def test_proto_and_go_forms_are_read(text: str, seconds: float) -> None:
    """Seconds with decimals and sums of Go units are durations."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "s", "5", "1d", "1.5", "1s ", "soon", "1h-3m", "9" * 400 + "h", "\uff11s"])
def test_anything_else_is_refused(text: str) -> None:
    """A number without a unit, an unknown unit, and what no calendar can hold are not durations."""
    assert parse_duration(text) is None


@given(st.timedeltas(timedelta(days=-9999), timedelta(days=9999)))
def test_rendering_is_read_back(value: timedelta) -> None:
    """The proto form of a duration means that duration."""
    assert parse_duration(format_duration(value.total_seconds())) == value
