"""Services that keep what the control plane is trusted by fresh: the serving certificate, and an operator's authority.

Part of the composition, beside ``trust``: here is decided when to look, there and in ``ca`` what is made of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from certs.errors import CertsError
from discovery.ca.roots import CaRoots
from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger
from discovery.sources.watch import Directory, Watch, existing, identify
from discovery.startup import Part
from discovery.trust import SERVING_TTL

__all__ = ["AuthorityFiles", "KeepServing"]

log = get_logger("default")

_CHECK_ROOTS_S: Final = 3600.0
_LOOK_S: Final = 60.0
_QUIET_MS: Final = 100  # changed seldom, and by several files at once


class Renewable(Protocol):
    """What shows a certificate of ours; the secure port's front is one."""

    def renew(self) -> None:
        """Show a new one.

        Raises:
            CertsError: it cannot be made.
            OSError: a file cannot be read.
        """


class AuthorityFiles(Part):
    """Notices an operator's authority that comes or changes while we run (``ROOT_CA_DIR``).

    A set that cannot be used, or has no root in common with the one in use, is told once, and the present one stays.
    """

    name = "authority in files"

    def __init__(self, roots: CaRoots, directory: Path, clock: Clock, *, quiet_ms: int = _QUIET_MS) -> None:
        self._roots = roots
        self._directory = Path(os.path.abspath(directory))
        self._clock = clock
        self._quiet_ms = quiet_ms
        self._told = ""

    async def run(self) -> None:
        """Look when something happens there, and once a minute, until cancelled; without a watch, once a minute."""
        try:
            await Watch(self._directories, self.look, self._wanted, quiet_ms=self._quiet_ms).run()
        except* OSError as failed:
            reason = str(failed.exceptions[0])
            log.warning("no watch to be had, authority in files is looked at once a minute", reason=reason)
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.look()

    async def look(self, _hinted: frozenset[str] = frozenset()) -> None:
        """Use what is there now, if it is another and good."""
        try:
            changed = self._roots.reload(now=self._clock.now())
        except (CertsError, OSError) as error:
            if str(error) != self._told:
                log.error("authority in files not taken up; the present one stays", reason=str(error))
            self._told = str(error)
            return
        self._told = ""
        if changed:
            ca = self._roots.current
            log.info(
                "authority changed",
                origin=str(self._roots.origin),
                roots=len(ca.roots.roots),
                until=f"{ca.valid_until:%Y-%m-%dT%H:%M:%SZ}",
            )

    def _directories(self) -> frozenset[Directory]:
        """The directory, or the nearest above it; and where its files really lie."""
        real = identify(os.path.realpath(self._directory / "..data"))
        return frozenset(found for found in (existing(self._directory), real) if found is not None)

    def _wanted(self, path: str) -> bool:
        """What is in it, or on the way to it."""
        own = str(self._directory)
        return path.startswith((own, os.path.realpath(own))) or own.startswith(path)


class KeepServing(Part):
    """Renews the serving certificate in time, and when the authority changed; renews a root of ours in time."""

    name = "trust"

    def __init__(self, roots: CaRoots, front: Renewable, clock: Clock) -> None:
        self._roots = roots
        self._front = front
        self._clock = clock
        self._changed = asyncio.Event()
        roots.on_change(self._changed.set)

    async def run(self) -> None:
        """Look now and then, and when the authority changed, until cancelled; what fails is tried again next time."""
        renew_at = self._clock.monotonic() + SERVING_TTL.total_seconds() / 2
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_ROOTS_S):
                    await self._changed.wait()
            self._try("authority not renewed; the present one stays", self._reload)
            changed, now_s = self._changed.is_set(), self._clock.monotonic()
            self._changed.clear()
            renew_at = min(renew_at, now_s) if changed else renew_at
            if now_s < renew_at:
                continue
            if self._try("serving certificate not renewed; the present one stays", self._front.renew):
                renew_at = now_s + SERVING_TTL.total_seconds() / 2
                log.info("secure port renewed its certificate", authority_changed=changed)

    def _reload(self) -> None:
        self._roots.reload(now=self._clock.now())

    def _try(self, what: str, call: Callable[[], None]) -> bool:
        try:
            call()
        except (CertsError, OSError) as error:
            log.error(what, reason=str(error))
            return False
        return True
