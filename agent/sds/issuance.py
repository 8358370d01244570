"""Issuance of the workload's certificate, the deciding part: what an answer of the CA means, and when to ask next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from agent.sds.resources import KeyCertificate
from certs import pem
from certs.bundle import TrustBundle, load_bundle
from certs.errors import Finding, VerifyError
from certs.keys import KeyFormat, PrivateKey, dump_key, require_match
from certs.rotation import renew_at, retry_delay_s

__all__ = ["Issued", "Schedule", "accept_answer", "merge_roots"]


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


def accept_answer(chain: Sequence[str], key: PrivateKey, *, key_format: KeyFormat, now: datetime) -> Issued:
    """Judge what the CA answered.

    Raises:
        VerifyError: it lacks a root, or has already expired.
        PemError, KeyMaterialError: it is no certificate, or not one for our key.
    """
    where = "answer of the CA"
    if len(chain) < 2:
        raise VerifyError(where, f"invalid empty CertChain: {len(chain)} elements, want at least leaf and root")
    parts = [part.encode() for part in chain]
    leaf = pem.load_certificates(parts[0], where=f"{where}, leaf")[0]
    require_match(key, leaf, where=where)
    if leaf.not_valid_after_utc <= now:
        raise VerifyError(
            where,
            f"the certificate expired at {leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
            hint="compare the clocks of this machine and of the CA",
        )
    pair = KeyCertificate(chain=pem.join(parts), key=dump_key(key, key_format=key_format))
    return Issued(pair=pair, root=pem.join(parts[-1:]), created=now, expiry=leaf.not_valid_after_utc)


def merge_roots(*bundles: bytes) -> tuple[bytes, tuple[Finding, ...]]:
    """One PEM of all usable roots, sorted and without repetition, and what was not usable.

    Raises:
        PemError: not one root is usable.
    """
    bundle, findings = load_bundle(pem.join(bundles), where="trusted roots")
    ordered = sorted(bundle.roots, key=pem.dump_certificate)
    return TrustBundle(tuple(ordered)).to_pem(), findings


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
