from __future__ import annotations

from datetime import timedelta

import pytest

from discovery.auth.caller import Caller, CallerKind
from discovery.auth.review_cache import CacheLimits, ReviewCache, Verdict
from tests.kit.certs import spiffe
from tests.kit.fake_clock import FakeClock

CALLER = Caller(kind=CallerKind.TOKEN, identities=(spiffe(),))
LIMITS = CacheLimits(accepted=3, accepted_s=60, refused=2, refused_s=5)


@pytest.mark.parametrize(("verdict", "age_s"), [(CALLER, 60.0), ("no", 5.0)])
def test_verdicts_count_for_a_while(verdict: Verdict, age_s: float) -> None:
    """Good ones for a minute, bad ones for seconds."""
    clock = FakeClock()
    cache = ReviewCache(clock, LIMITS)
    cache.put(b"a", verdict, expires_at=None)
    clock.advance(age_s - 0.1)
    assert cache.get(b"a") == verdict
    clock.advance(0.2)
    assert cache.get(b"a") is None
    assert len(cache) == 0


def test_no_verdict_outlives_its_token() -> None:
    """However young the verdict is."""
    clock = FakeClock()
    cache = ReviewCache(clock, LIMITS)
    cache.put(b"a", CALLER, expires_at=clock.now() + timedelta(seconds=10))
    clock.advance(9.9)
    assert cache.get(b"a") == CALLER
    clock.advance(0.1)
    assert cache.get(b"a") is None


def test_expiry_follows_the_wall_clock() -> None:
    """A machine that slept finds its tokens expired, though its monotonic clock stood still."""
    clock = FakeClock()
    cache = ReviewCache(clock, LIMITS)
    cache.put(b"a", CALLER, expires_at=clock.now() + timedelta(seconds=10))
    clock._start += timedelta(seconds=10)
    assert cache.get(b"a") is None


def test_the_oldest_goes_when_it_is_full() -> None:
    """Refusals, which strangers can make at will, push out no good verdict."""
    cache = ReviewCache(FakeClock(), LIMITS)
    for digest in (b"a", b"b", b"c", b"d"):
        cache.put(digest, CALLER, expires_at=None)
    for digest in (b"w", b"x", b"y", b"z"):
        cache.put(digest, "no", expires_at=None)
    assert [cache.get(digest) is not None for digest in (b"a", b"b", b"c", b"d")] == [False, True, True, True]
    assert [cache.get(digest) for digest in (b"w", b"x", b"y", b"z")] == [None, None, "no", "no"]
    assert len(cache) == 5


def test_last_verdict_counts() -> None:
    """A token that is asked about again is kept anew."""
    clock = FakeClock()
    cache = ReviewCache(clock, LIMITS)
    cache.put(b"a", CALLER, expires_at=None)
    clock.advance(59)
    cache.put(b"a", CALLER, expires_at=None)
    clock.advance(59)
    assert cache.get(b"a") == CALLER
