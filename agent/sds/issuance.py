"""Issuance of the workload's certificate, the deciding part: what was issued, and when to ask next."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from agent.sds.resources import KeyCertificate
from certs.rotation import renew_at, retry_delay_s

__all__ = ["Issued", "Schedule"]


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


class Schedule:
    """When to ask the CA next: at once, before expiry, or after a failure."""

    def __init__(self, *, now: datetime, grace_ratio: float, jitter: float) -> None:
        self._grace_ratio = grace_ratio
        self._jitter = jitter
        self._failures = 0
        self._due = now

    @property
    def due(self) -> datetime:
        """The instant of the next request."""
        return self._due

    def on_issued(self, issued: Issued, *, spread: float) -> None:
        """Renew when ``grace_ratio`` of its life remains; ``spread`` is chance in (-1, 1)."""
        self._failures = 0
        self._due = renew_at(issued.created, issued.expiry, ratio=self._grace_ratio, jitter=self._jitter, spread=spread)

    def on_failed(self, now: datetime, *, spread: float) -> float:
        """Try again after a growing delay, whose seconds are returned; ``spread`` is chance in (-1, 1)."""
        self._failures += 1
        delay_s = retry_delay_s(self._failures, spread=spread)
        self._due = now + timedelta(seconds=delay_s)
        return delay_s

    def hasten(self, now: datetime) -> None:
        """Renew now: what the certificate must fit has changed."""
        self._due = min(self._due, now)
