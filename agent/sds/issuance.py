"""Issuance of the workload's certificate, the deciding part: what was issued, and when to ask next."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from agent.sds.resources import KeyCertificate
from certs.rotation import renew_at, retry_delay_s
from discovery.runtime.clock import Clock

__all__ = ["Issued", "Moment", "Schedule"]


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate as the CA gave it.

    Attributes:
        pair: what Envoy gets: our key and all certificates received, in their order.
        root: the last element of the answer, which may hold several certificates.
        created: our clock when the answer arrived.
        expiry: NotAfter of the leaf.
    """

    pair: KeyCertificate
    root: bytes
    created: datetime
    expiry: datetime


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The present by both clocks: the wall's, and the one that nobody sets, in seconds."""

    wall: datetime
    monotonic: float

    @classmethod
    def of(cls, clock: Clock) -> Moment:
        """As this clock has it."""
        return cls(wall=clock.now(), monotonic=clock.monotonic())

    def after(self, wait: timedelta) -> Moment:
        """So much later, or earlier."""
        return Moment(wall=self.wall + wait, monotonic=self.monotonic + wait.total_seconds())


class Schedule:
    """When to ask the CA next: at once, before expiry, or after a failure.

    A moment is due when either clock says so: the monotonic one stands still while a machine sleeps, and the wall's may
    be set back by years once a wrong time is corrected.
    """

    def __init__(self, *, now: Moment, grace_ratio: float, jitter: float) -> None:
        self._grace_ratio = grace_ratio
        self._jitter = jitter
        self._failures = 0
        self._due = now

    @property
    def due(self) -> datetime:
        """The instant of the next request."""
        return self._due.wall

    def left_s(self, now: Moment) -> float:
        """Seconds until then, not positive when it is due."""
        return min((self._due.wall - now.wall).total_seconds(), self._due.monotonic - now.monotonic)

    def on_issued(self, issued: Issued, now: Moment, *, spread: float) -> None:
        """Renew when ``grace_ratio`` of its life remains; ``spread`` is chance in (-1, 1)."""
        self._failures = 0
        due = renew_at(issued.created, issued.expiry, ratio=self._grace_ratio, jitter=self._jitter, spread=spread)
        self._due = now.after(due - now.wall)

    def on_failed(self, now: Moment, *, spread: float) -> float:
        """Try again after a growing delay, whose seconds are returned; ``spread`` is chance in (-1, 1)."""
        self._failures += 1
        delay_s = retry_delay_s(self._failures, spread=spread)
        self._due = now.after(timedelta(seconds=delay_s))
        return delay_s

    def hasten(self, now: Moment) -> None:
        """Renew now: what the certificate must fit has changed."""
        if self.left_s(now) > 0:
            self._due = now
