"""Keeps the keys of an OpenID Connect issuer fresh: now and then, and when a token names one that is not known.

Callers never wait for the issuer. Whoever shows a token that cannot be judged yet is told to come again; whoever shows
one of an invented key cannot make us ask more often than the rate below.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from types import TracebackType
from typing import Final, Protocol, Self

from prometheus_client import CollectorRegistry

from discovery.auth.errors import UndecidedError
from discovery.auth.jwks import JwksError, VerificationKey
from discovery.auth.oidc_rule import OidcRule
from discovery.kube.timing import Timing
from discovery.runtime.backoff import backoff_delays
from discovery.runtime.logs import get_logger
from discovery.runtime.metrics import PlainCounter
from discovery.runtime.race import first_of

__all__ = ["IssuerKeys", "KeyFetcher", "KeyMetrics"]

log = get_logger("default")

_FIRST_BACKOFF_S: Final = 60.0
_MAX_BACKOFF_S: Final = 3600.0
_JITTER: Final = 0.1
_REST_AFTER_SUCCESS_S: Final = 10.0
_REST_AFTER_FAILURE_S: Final = 60.0
"""A token asks no sooner after the last attempt than that. A failing issuer is thus asked once a minute while there are
tokens of its, and else ever more rarely: it is noticed to be back by those who need it."""


class KeyFetcher(Protocol):
    """Whom to ask; ``JwksClient`` is one."""

    async def fetch(self, rule: OidcRule) -> tuple[VerificationKey, ...]:
        """The keys of an issuer as they are now.

        Raises:
            JwksError: they cannot be had.
        """


class KeyMetrics:
    """How fetching went, under istiod's names."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        prefix = "pilot_jwks_resolver_network_fetch"
        self.success = PlainCounter(
            f"{prefix}_success_total", "Times that the keys of the issuer in JWT_RULE were fetched.", registry=registry
        )
        self.fail = PlainCounter(f"{prefix}_fail_total", "Times that they could not be fetched.", registry=registry)


class IssuerKeys:
    """A service, and where a ``JwtAuthenticator`` has its keys from.

    Args:
        refresh: how often the issuer is asked while all is well.
    """

    name = "keys of the token issuer"

    def __init__(
        self, rule: OidcRule, fetcher: KeyFetcher, *, refresh: timedelta, timing: Timing, metrics: KeyMetrics
    ) -> None:
        self._rule = rule
        self._fetcher = fetcher
        self._refresh_s = refresh.total_seconds()
        self._timing = timing
        self._metrics = metrics
        self._keys: tuple[VerificationKey, ...] = ()
        self._reason = "they are being fetched"
        self._wanted = asyncio.Event()
        self._wanted.set()  # the first fetch is under way, or about to be
        self._rested_at = 0.0

    async def __aenter__(self) -> Self:
        """Nothing is fetched yet: a start does not depend on other people's servers."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release."""

    def keys(self, key_id: str) -> tuple[VerificationKey, ...]:
        """The keys that a token of the issuer may be signed with. If none has its key id, the issuer is asked soon.

        A token without a key id asks for nothing: with several keys it must have one (OpenID Connect Core, 10.1).

        Raises:
            UndecidedError: there are no keys, or newer ones are being fetched that the token may be signed with.
        """
        if self._keys and (not key_id or any(key.key_id == key_id for key in self._keys)):
            return self._keys
        if self._timing.clock.monotonic() >= self._rested_at:
            self._wanted.set()
        if not self._keys:
            raise UndecidedError(
                f"there are no keys of issuer {self._rule.issuer} to verify tokens with: {self._reason}"
            )
        if self._wanted.is_set():
            raise UndecidedError(
                f"issuer {self._rule.issuer} is being asked for keys that the token may be signed with"
            )
        return self._keys

    async def run(self) -> None:
        """Fetch, wait, fetch again, until cancelled."""
        failures = self._delays()
        while True:
            fetched = await self._fetch_once()
            self._rested_at = self._timing.clock.monotonic() + (
                _REST_AFTER_SUCCESS_S if fetched else _REST_AFTER_FAILURE_S
            )
            if fetched:
                failures = self._delays()
            delay_s = self._refresh_s if fetched else next(failures)
            if not fetched:
                self._complain(delay_s)
            self._wanted.clear()
            await first_of(self._sleep(delay_s), self._asked())
            self._wanted.set()

    async def _fetch_once(self) -> bool:
        try:
            keys = await self._fetcher.fetch(self._rule)
        # A crash boundary: whatever the answer of somebody else's server provokes, nothing but this fetch fails.
        except Exception as error:  # noqa: BLE001
            self._reason = str(error) if isinstance(error, JwksError) else f"internal error: {error!r}"
            self._metrics.fail.inc()
            return False
        self._metrics.success.inc()
        if keys != self._keys:
            ids = [key.key_id or "(no kid)" for key in keys]
            log.info("keys of the token issuer taken up", issuer=self._rule.issuer, keys=ids)
        self._keys = keys
        return True

    def _complain(self, delay_s: float) -> None:
        log.error(
            "keys of the token issuer not fetched",
            issuer=self._rule.issuer,
            reason=self._reason,
            meanwhile="those fetched before serve on" if self._keys else "its tokens are refused, others are not",
            again_in_s=round(delay_s),
        )

    def _delays(self) -> Iterator[float]:
        return backoff_delays(
            first_s=_FIRST_BACKOFF_S, max_s=_MAX_BACKOFF_S, jitter=_JITTER, chance=self._timing.chance
        )

    async def _sleep(self, seconds: float) -> None:
        await self._timing.sleep(seconds)

    async def _asked(self) -> None:
        await self._wanted.wait()
