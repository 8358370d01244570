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
from agent.sds.issuance import Issued, Schedule, accept_answer, merge_roots
from agent.sds.names import SecretSource, Workload, WorkloadRoots
from agent.sds.output import CHAIN_FILE, KEY_FILE, ROOT_FILE, CertificateOutput
from agent.sds.resources import KeyCertificate, Roots
from certs.csr import build_csr
from certs.errors import CertsError
from certs.keys import MIN_RSA_BITS, KeyFormat, KeyKind, generate_key
from certs.rotation import DEFAULT_GRACE_RATIO, DEFAULT_JITTER
from certs.spiffe import Spiffe
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
        identity: the name in the request; istiod decides by the caller's credentials instead.
        key_kind: of each new key.
        rsa_bits: if that is RSA.
        key_format: how the key is written.
        ttl_s: the lifetime asked for.
        grace_ratio: renew when this part of the lifetime remains, in [0, 1].
        jitter: how much chance adds to or takes from that part.
    """

    identity: Spiffe
    key_kind: KeyKind = KeyKind.RSA
    rsa_bits: int = MIN_RSA_BITS
    key_format: KeyFormat = KeyFormat.TRADITIONAL
    ttl_s: int = 24 * 3600
    grace_ratio: float = DEFAULT_GRACE_RATIO
    jitter: float = DEFAULT_JITTER


class WorkloadCertificate:
    """The certificate and the roots that came with it. One event loop owns it.

    Args:
        options: what to ask for.
        signer: who signs.
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
        announce: Callable[[SecretSource], None],
        output: CertificateOutput,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._options = options
        self._signer = signer
        self._announce = announce
        self._output = output
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._schedule = Schedule(now=clock.now(), grace_ratio=options.grace_ratio, jitter=options.jitter)
        self._issued: Issued | None = None
        self._roots = b""
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

    def set_trust_anchors(self, anchors: bytes) -> None:
        """Trust these PEM roots besides the CA's. If that changes the bundle, it is announced and the CA asked anew.

        Raises:
            PemError: they hold no usable certificate; the old ones stay.
        """
        if anchors:
            merge_roots(anchors)  # judged before anything changes
        self._anchors = anchors
        if self._issued is not None and self._take_roots(self._issued.root):
            self._announce(WorkloadRoots())
            self._schedule.hasten(self._clock.now())
            self._hurry.set()

    async def run(self) -> None:
        """Issue and renew until cancelled."""
        while True:
            await self._until_due()
            try:
                await self._install(await self._issue())
            except (SigningError, CertsError) as error:
                delay_s = self._schedule.on_failed(self._clock.now(), spread=self._spread())
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
        while (left_s := (self._schedule.due - self._clock.now()).total_seconds()) > 0:
            await first_of(self._pause(min(left_s, _LONGEST_WAIT_S)), self._hurried())
        self._hurry.clear()

    async def _pause(self, seconds: float) -> None:
        await self._sleep(seconds)

    async def _hurried(self) -> None:
        await self._hurry.wait()
        self._hurry.clear()

    async def _issue(self) -> Issued:
        options = self._options
        # a thread, because an RSA key takes tenths of a second, in which no xDS would be relayed
        key = await asyncio.to_thread(generate_key, options.key_kind, rsa_bits=options.rsa_bits)
        chain = await self._signer.sign(build_csr(key, options.identity), ttl_s=options.ttl_s)
        return accept_answer(chain, key, key_format=options.key_format, now=self._clock.now())

    async def _install(self, issued: Issued) -> None:
        """Put a new certificate to use. Raises: PemError if its root is unusable; the old one then stays."""
        renewed = self._issued is not None
        roots_changed = self._take_roots(issued.root)
        self._issued = issued
        self._schedule.on_issued(issued, spread=self._spread())
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

    def _take_roots(self, root: bytes) -> bool:
        """Merge the CA's root with the trust anchors; whether the bundle changed."""
        roots, findings = merge_roots(root, self._anchors)
        for finding in findings:
            log.error("root certificate left out", reason=str(finding))
        changed, self._roots = roots != self._roots, roots
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
