"""When to replace a certificate, and how long to wait after a failure: arithmetic alone.

A fleet that started together must not renew together, hence the jitter. `created` is the local clock when the answer
arrived, not the certificate's NotBefore, which the CA sets into the past to forgive slow clocks.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from certs.errors import RenewalError

if TYPE_CHECKING:
    from cryptography import x509

__all__ = [
    "DEFAULT_GRACE_RATIO",
    "DEFAULT_JITTER",
    "grace",
    "renew_at",
    "renewal_delay",
    "renewal_wait",
    "retry_delay_s",
]

DEFAULT_GRACE_RATIO: Final = 0.5
DEFAULT_JITTER: Final = 0.01

_RETRY_FIRST_S: Final = 0.5
_RETRY_FACTOR: Final = 1.5
_RETRY_SPREAD: Final = 0.5
_RETRY_MAX_S: Final = 60.0


def grace(ratio: float, jitter: float, spread: float) -> float:
    """The part of a certificate's life to keep in hand, in [0, 1].

    Args:
        ratio: the part wanted.
        jitter: how much chance may add or take.
        spread: chance, uniform in (-1, 1).
    """
    return min(1.0, max(0.0, ratio + spread * jitter))


def renew_at(
    created: datetime,
    expiry: datetime,
    *,
    ratio: float = DEFAULT_GRACE_RATIO,
    jitter: float = DEFAULT_JITTER,
    spread: float,
) -> datetime:
    """The instant to ask for a new certificate; arguments as `grace`. May be in the past."""
    return expiry - (expiry - created) * grace(ratio, jitter, spread)


def renewal_delay(due: datetime, *, now: datetime) -> timedelta:
    """How long to wait until `due`; never negative."""
    return max(timedelta(), due - now)


def renewal_wait(certificate: x509.Certificate, *, grace_percent: float, now: datetime) -> timedelta:
    """How long a CA's own certificate may be used before `grace_percent` of its lifetime is all that is left.

    Raises:
        RenewalError: it has expired, or should be renewed now.
    """
    from certs.describe import subject_of  # loads the library; the rest is arithmetic, which agents do without it

    where = subject_of(certificate)
    left = certificate.not_valid_after_utc - now
    if left < timedelta():
        raise RenewalError(where, f"has already expired at {certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}")
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    wait = left - lifetime * (grace_percent / 100)
    if wait < timedelta():
        raise RenewalError(
            where, f"should be renewed now: it expires in {left}, less than {grace_percent} % of its life"
        )
    return wait


def retry_delay_s(failures: int, *, spread: float) -> float:
    """Seconds to wait after `failures` (>= 1) failed requests in a row: 0.5 s, growing by half up to a minute.

    Args:
        failures: how often it failed since the last success.
        spread: chance, uniform in (-1, 1); moves the delay by up to half, never above a minute.
    """
    exponent = min(failures - 1, 32)  # far above where the limit is reached; keeps the power finite
    delay_s = min(_RETRY_MAX_S, _RETRY_FIRST_S * _RETRY_FACTOR**exponent)
    return min(_RETRY_MAX_S, delay_s * (1 + spread * _RETRY_SPREAD))
