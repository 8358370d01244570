"""Time and chance as one argument."""

from __future__ import annotations

from discovery.kube.timing import Timing
from tests.kit.fake_clock import FakeClock


async def test_the_default_is_the_machine() -> None:
    """And every part can be replaced."""
    real = Timing()
    await real.sleep(0)
    assert 0 <= real.chance() < 1
    clock = FakeClock()
    fake = Timing(clock, clock.sleep, lambda: 0.5)
    assert (fake.clock.monotonic(), fake.chance()) == (0, 0.5)
