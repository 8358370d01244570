"""The workload's certificate from a CA: issued, renewed in time, kept while renewal fails.

One task alone asks the CA, so that any number of Envoy's streams costs one request; they wait for its outcome. It
renews even when nobody is subscribed (files written for others go stale otherwise), and when a renewal fails the
certificate that is still valid stays in use while the next attempt waits with growing, spread delays.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec

from agent.sds.errors import SecretError, SigningError
from agent.sds.issuance import Issued, Moment, Schedule
from agent.sds.names import SecretSource, Workload, WorkloadRoots
from agent.sds.output import CHAIN_FILE, KEY_FILE, ROOT_FILE, CertificateOutput
from agent.sds.resources import KeyCertificate, Roots
from agent.x509.client import X509
from agent.x509.messages import MakeKey
from certs.errors import CertsError
from certs.rotation import DEFAULT_GRACE_RATIO, DEFAULT_JITTER
from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger
from discovery.runtime.race import first_of

__all__ = ["IssueOptions", "Signer", "WorkloadCertificate"]

# Waiting is measured by a clock that stands still while a machine sleeps; looking again catches up with the wall clock.
_LONGEST_WAIT_S: Final = 600.0

log = get_logger("sds")


class Signer(Protocol):
    """Who signs our certificates."""

    async def sign(self, csr: bytes, *, ttl_s: int) -> Sequence[str]:
        """The chain for a PEM request, the root bundle as its last element.

        Raises:
            SigningError: there is none now.
        """


class IssueOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask a CA for.

    Attributes:
        key: kind and form of each new key, and the name in the request; istiod decides by the caller's credentials
            instead.
        ttl_s: the lifetime asked for.
        grace_ratio: renew when this part of the lifetime remains, in [0, 1].
        jitter: how much chance adds to or takes from that part.
    """

    key: MakeKey
    ttl_s: int = 24 * 3600
    grace_ratio: float = DEFAULT_GRACE_RATIO
    jitter: float = DEFAULT_JITTER


class WorkloadCertificate:
    """The certificate and the roots that came with it. One event loop owns it.

    Args:
        options: what to ask for.
        signer: who signs.
        x509: makes keys and judges answers.
        announce: told when the certificate or the roots were replaced.
        output: where they are written for others.
        clock: tells expiry.
        sleep: how waiting is done.
        chance: uniform in [0, 1), spreads renewals over a fleet.
    """

    def __init__(  # noqa: PLR0913 - three of them are what tests replace
        self,
        options: IssueOptions,
        signer: Signer,
        *,
        x509: X509,
        announce: Callable[[SecretSource], None],
        output: CertificateOutput,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._options = options
        self._signer = signer
        self._x509 = x509
        self._announce = announce
        self._output = output
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._schedule = Schedule(now=Moment.of(clock), grace_ratio=options.grace_ratio, jitter=options.jitter)
        self._issued: Issued | None = None
        self._roots = b""
        self._merging = asyncio.Lock()  # of roots: an older bundle must not replace a newer one
        self._anchors = b""
        self._hurry = asyncio.Event()
        self._attempt: asyncio.Future[None] | None = None

    @property
    def seconds_to_expiry(self) -> float | None:
        """The time left of the certificate, negative after its end; None before the first."""
        return None if self._issued is None else (self._issued.expiry - self._clock.now()).total_seconds()

    async def pair(self) -> KeyCertificate:
        """The certificate in use; without a valid one, that of the next attempt.

        Raises:
            SecretError: that attempt failed.
        """
        return (await self._valid()).pair

    async def roots(self) -> Roots:
        """The roots of the CA and the trust anchors, merged; waits as ``pair`` does.

        Raises:
            SecretError: that attempt failed.
        """
        await self._valid()
        return Roots(pem=self._roots)

    async def set_trust_anchors(self, anchors: bytes) -> None:
        """Trust these PEM roots besides the CA's. If that changes the bundle, it is announced and the CA asked anew.

        Raises:
            CertsError: they hold no usable certificate; the old ones stay.
        """
        if anchors:  # judged before anything changes
            await self._x509.check_roots(anchors, where="trust anchors")
        self._anchors = anchors
        async with self._merging:
            changed = self._issued is not None and await self._take_roots(self._issued.root)
        if changed:
            self._announce(WorkloadRoots())
            self._schedule.hasten(Moment.of(self._clock))
            self._hurry.set()

    async def run(self) -> None:
        """Issue and renew until cancelled."""
        while True:
            await self._until_due()
            try:
                await self._install(await self._issue())
            except (SigningError, CertsError) as error:
                delay_s = self._schedule.on_failed(Moment.of(self._clock), spread=self._spread())
                log.warning(
                    "no certificate from the CA; trying again",
                    reason=str(error),
                    delay_s=round(delay_s, 1),
                    valid_until=self._issued.expiry.isoformat() if self._issued else "never issued",
                )
                self._settle(SecretError(str(error)))
            else:
                self._settle(None)

    async def _valid(self) -> Issued:
        while self._issued is None or self._issued.expiry <= self._clock.now():
            if self._attempt is None:
                self._attempt = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._attempt)
        return self._issued

    async def _until_due(self) -> None:
        while (left_s := self._schedule.left_s(Moment.of(self._clock))) > 0:
            await first_of(self._pause(min(left_s, _LONGEST_WAIT_S)), self._hurried())
        self._hurry.clear()

    async def _pause(self, seconds: float) -> None:
        await self._sleep(seconds)

    async def _hurried(self) -> None:
        await self._hurry.wait()
        self._hurry.clear()

    async def _issue(self) -> Issued:
        made = await self._x509.make_key(self._options.key)
        chain = await self._signer.sign(made.csr, ttl_s=self._options.ttl_s)
        now = self._clock.now()
        accepted = await self._x509.check_chain(chain, made.key, now=now)
        pair = KeyCertificate(chain=accepted.chain, key=made.key)
        return Issued(pair=pair, root=accepted.root, created=now, expiry=accepted.expiry)

    async def _install(self, issued: Issued) -> None:
        """Put a new certificate to use. Raises: CertsError if its root is unusable; the old one then stays."""
        renewed = self._issued is not None
        async with self._merging:
            roots_changed = await self._take_roots(issued.root)
            self._issued = issued
        self._schedule.on_issued(issued, Moment.of(self._clock), spread=self._spread())
        log.info(
            "workload certificate issued",
            valid_until=issued.expiry.isoformat(),
            renewal_at=self._schedule.due.isoformat(),
        )
        pair = issued.pair
        await self._output.write({KEY_FILE: pair.key, CHAIN_FILE: pair.chain, ROOT_FILE: self._roots})
        if renewed:  # the first one is waited for by whoever wants it
            if roots_changed:
                self._announce(WorkloadRoots())
            self._announce(Workload())

    async def _take_roots(self, root: bytes) -> bool:
        """Merge the CA's root with the trust anchors; whether the bundle changed."""
        checked = await self._x509.check_roots(root, self._anchors, where="trusted roots", ordered=True)
        for finding in checked.findings:
            log.error("root certificate left out", reason=str(finding))
        changed, self._roots = checked.pem != self._roots, checked.pem
        return changed

    def _settle(self, failure: SecretError | None) -> None:
        """Give the outcome of an attempt to those who wait for it."""
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        if failure is None:
            attempt.set_result(None)
        else:
            attempt.set_exception(failure)
            attempt.exception()  # marks it as seen: all who waited may be gone

    def _spread(self) -> float:
        return 2 * self._chance() - 1
