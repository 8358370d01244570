"""The rate of our requests."""

from __future__ import annotations

import pytest

from discovery.kube.throttle import TokenBucket


def test_a_burst_goes_at_once_then_the_rate_holds() -> None:
    """Three at once; the next ones are an interval apart, in order."""
    bucket = TokenBucket(per_s=2, burst=3, now=0)
    assert [bucket.take(0) for _ in range(5)] == [0, 0, 0, 0.5, 1.0]


def test_it_fills_up_again_but_not_beyond_the_burst() -> None:
    """A long silence earns one burst."""
    bucket = TokenBucket(per_s=2, burst=2, now=0)
    for _ in range(3):
        bucket.take(0)
    assert [bucket.take(100) for _ in range(3)] == [0, 0, 0.5]


@pytest.mark.parametrize("rate", [0, -1])
def test_no_rate_is_no_limit(rate: float) -> None:
    """As istiod's flags mean it."""
    bucket = TokenBucket(per_s=rate, burst=1, now=0)
    assert [bucket.take(0) for _ in range(1000)] == [0] * 1000


def test_a_clock_that_goes_back_changes_nothing() -> None:
    """No tokens are made or lost by it."""
    bucket = TokenBucket(per_s=1, burst=1, now=100)
    assert bucket.take(100) == 0
    assert bucket.take(0) == pytest.approx(1)
    assert bucket.take(101) == pytest.approx(1)


def test_offered_tokens_are_not_owed() -> None:
    """Who is refused takes no place: a flood does not put off the next one for long."""
    bucket = TokenBucket(per_s=1, burst=2, now=0.0)
    assert [bucket.offer(0.0) for _ in range(5)] == [True, True, False, False, False]
    assert [bucket.offer(1.0) for _ in range(2)] == [True, False]
    assert all(TokenBucket(per_s=0, burst=1, now=0.0).offer(0.0) for _ in range(3))
