"""When to ask the CA next."""

from __future__ import annotations

from datetime import timedelta

from agent.sds.issuance import Issued, Schedule
from agent.sds.resources import KeyCertificate
from tests.kit.fake_clock import FakeClock

NOW = FakeClock().now()


def test_renewal_at_half_life_then_backoff_then_renewal() -> None:
    """Due at once, then at half life; failures delay by growing steps; a success resets them."""
    pair = KeyCertificate(chain=b"", key=b"")
    issued = Issued(pair=pair, root=b"", created=NOW, expiry=NOW + timedelta(hours=2))
    schedule = Schedule(now=NOW, grace_ratio=0.5, jitter=0.0)
    assert schedule.due == NOW
    delays = [schedule.on_failed(NOW, spread=0.0) for _ in range(3)]
    assert delays == sorted(delays)
    assert len(set(delays)) == 3
    schedule.on_issued(issued, spread=0.9)
    assert schedule.due == NOW + timedelta(hours=1)
    assert schedule.on_failed(NOW, spread=0.0) == delays[0]
    schedule.hasten(NOW - timedelta(hours=1))
    assert schedule.due == NOW - timedelta(hours=1)
