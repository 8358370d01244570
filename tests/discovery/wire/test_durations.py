from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.wire.durations import DurationError, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("300ms", 0.3), ("1h30m", 5400.0), ("5s", 5.0), ("0", 0.0), ("-1.5s", -1.5), ("1m0s", 60.0), (".5s", 0.5)],
)
def test_go_durations_are_read(text: str, seconds: float) -> None:
    """Every unit, sums, fractions and signs."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "5x", "1s2", "--1s", "1e3s"])
def test_anything_else_is_refused(text: str) -> None:
    """A number without a unit is no duration."""
    with pytest.raises(DurationError, match="want a form such as"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5s"), (0.25, "0.250s"), (1e-6, "0.000001s"), (-1.5, "-1.500s"), (0, "0s")]
)
def test_protobuf_form(seconds: float, text: str) -> None:
    """No fraction, or 3, 6 or 9 digits."""
    assert format_duration(seconds) == text


@given(st.integers(-(10**9), 10**9))
def test_what_is_written_is_read(millis: int) -> None:
    """Milliseconds survive the round trip."""
    assert round(parse_duration(format_duration(millis / 1000)) * 1000) == millis
