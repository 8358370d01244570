"""When to ask the CA next."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.sds.issuance import Issued, Moment, Schedule
from agent.sds.resources import KeyCertificate
from tests.kit.fake_clock import FakeClock

NOW = FakeClock().now()


def test_renewal_at_half_life_then_backoff_then_renewal() -> None:
    """Due at once, then at half life; failures delay by growing steps; a success resets them."""
    pair = KeyCertificate(chain=b"", key=b"")
    issued = Issued(pair=pair, root=b"", created=NOW, expiry=NOW + timedelta(hours=2))
    now = Moment(wall=NOW, monotonic=7.0)
    schedule = Schedule(now=now, grace_ratio=0.5, jitter=0.0)
    assert schedule.left_s(now) == 0
    delays = [schedule.on_failed(now, spread=0.0) for _ in range(3)]
    assert delays == sorted(delays)
    assert len(set(delays)) == 3
    schedule.on_issued(issued, now, spread=0.9)
    assert schedule.due == NOW + timedelta(hours=1)
    assert schedule.left_s(now) == 3600
    assert schedule.on_failed(now, spread=0.0) == delays[0]
    earlier = now.after(timedelta(hours=-1))
    schedule.hasten(earlier)
    assert schedule.due == NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("wall_h", "monotonic_h", "left_h"),
    [
        (0.5, 0.5, 0.5),
        (1.5, 0.25, -0.5),  # the machine slept
        (-8760, 0.25, 0.75),  # a clock a year ahead was corrected
    ],
)
def test_the_earlier_clock_counts(wall_h: float, monotonic_h: float, left_h: float) -> None:
    """Neither a sleeping machine nor a clock that is set back puts a renewal off."""
    now = Moment(wall=NOW, monotonic=7.0)
    schedule = Schedule(now=now, grace_ratio=0.5, jitter=0.0)
    pair = KeyCertificate(chain=b"", key=b"")
    schedule.on_issued(Issued(pair=pair, root=b"", created=NOW, expiry=NOW + timedelta(hours=2)), now, spread=0.0)
    later = Moment(wall=NOW + timedelta(hours=wall_h), monotonic=7.0 + monotonic_h * 3600)
    assert schedule.left_s(later) == left_h * 3600
