from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.errors import RenewalError
from certs.rotation import grace, renew_at, renewal_delay, renewal_wait, retry_delay_s
from tests.kit.certs import NOW, leaf, root_ca

_RATIO = st.floats(0, 1)
_SPREAD = st.floats(-1, 1, exclude_min=True, exclude_max=True)
_LIFE = st.timedeltas(timedelta(seconds=1), timedelta(days=3650))


@given(_LIFE, _RATIO, st.floats(0, 2), _SPREAD)
def test_renewal_lies_within_the_life(life: timedelta, ratio: float, jitter: float, spread: float) -> None:
    """Never before the certificate arrived, never after it expires, whatever jitter says."""
    due = renew_at(NOW, NOW + life, ratio=ratio, jitter=jitter, spread=spread)
    assert NOW - timedelta(milliseconds=1) <= due <= NOW + life


@given(_LIFE, _RATIO, _RATIO)
def test_more_grace_renews_earlier(life: timedelta, one: float, two: float) -> None:
    """The instant falls as the ratio grows."""
    low, high = sorted((one, two))
    early, late = (renew_at(NOW, NOW + life, ratio=ratio, jitter=0, spread=0) for ratio in (high, low))
    assert early <= late


@pytest.mark.parametrize(("spread", "minutes"), [(0, 0), (0.999999, -14.4), (-0.999999, 14.4)])
def test_defaults_renew_at_half_life(spread: float, minutes: float) -> None:
    """A day's certificate is renewed after twelve hours, give or take a quarter of an hour."""
    due = renew_at(NOW, NOW + timedelta(hours=24), spread=spread)
    assert abs(due - NOW - timedelta(hours=12, minutes=minutes)) < timedelta(seconds=1)


@pytest.mark.parametrize(("ratio", "jitter", "spread", "result"), [(0.9, 0.5, 0.9, 1), (0.1, 0.5, -0.9, 0)])
def test_grace_is_clamped(ratio: float, jitter: float, spread: float, result: float) -> None:
    """Jitter cannot push it out of [0, 1]."""
    assert grace(ratio, jitter, spread) == result


@given(st.timedeltas(timedelta(days=-9), timedelta(days=9)))
def test_delay_is_never_negative(ahead: timedelta) -> None:
    """What is overdue is due now."""
    assert renewal_delay(NOW + ahead, now=NOW) == max(ahead, timedelta())


def test_wait_of_a_ca() -> None:
    """A CA's certificate is used until the percentage is left; then it is due, then expired."""
    certificate = leaf(root_ca(), lifetime=timedelta(minutes=98)).leaf  # a life of 100 minutes with the backdating
    assert renewal_wait(certificate, grace_percent=50, now=NOW) == timedelta(minutes=48)
    with pytest.raises(RenewalError, match="should be renewed now"):
        renewal_wait(certificate, grace_percent=50, now=NOW + timedelta(minutes=49))
    with pytest.raises(RenewalError, match="already expired"):
        renewal_wait(certificate, grace_percent=50, now=NOW + timedelta(minutes=99))


@given(st.integers(1, 10**6), _SPREAD)
def test_retry_delay_is_bounded(failures: int, spread: float) -> None:
    """Between a quarter of a second and a minute, however often it failed."""
    assert 0.25 <= retry_delay_s(failures, spread=spread) <= 60


def test_retry_delay_grows_by_half() -> None:
    """Without jitter: 0.5, 0.75, 1.125 s and so on, then a minute."""
    assert [retry_delay_s(failures, spread=0) for failures in (1, 2, 3, 50)] == [0.5, 0.75, 1.125, 60]
