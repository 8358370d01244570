"""The machine's clock, and that fakes are clocks too."""

from __future__ import annotations

from datetime import UTC, timedelta

from discovery.runtime.clock import Clock, SystemClock
from tests.kit.fake_clock import FakeClock


def test_system_clock_is_utc_and_monotonic() -> None:
    """Instants carry their zone; measuring never goes backwards."""
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    first = clock.monotonic()
    assert clock.monotonic() >= first


def test_a_fake_clock_moves_only_when_told() -> None:
    """Both of its hands together."""
    fake = FakeClock()
    clock: Clock = fake
    now, monotonic = clock.now(), clock.monotonic()
    fake.advance(90)
    assert clock.now() - now == timedelta(seconds=90)
    assert clock.monotonic() - monotonic == 90
