"""Services of the start: what is computed before anybody is served, and who says that all is ready."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from discovery.engine import Database
from discovery.runtime.logs import get_logger
from discovery.runtime.readiness import Readiness
from discovery.runtime.supervise import Service
from discovery.translate.tables import Generators
from discovery.translate.warm import warm_tables

__all__ = ["STARTING", "Announcement", "Part", "WarmUp", "warm_up"]

log = get_logger("default")

STARTING = "starting"  # what blocks readiness until everything is bound


class Part:
    """A service that holds nothing open."""

    name = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release."""

    async def run(self) -> None:
        """Nothing to do until cancelled."""
        await asyncio.Event().wait()


def warm_up(db: Database, generators: Generators) -> None:
    """Compute what every proxy's configuration starts from, of what is in the database now."""
    warm_tables(db, generators)
    # What was loaded lives long: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


class WarmUp(Part):
    """Before anybody is served: warm up with what sources read when they were bound."""

    name = "warm-up"

    def __init__(self, db: Database, generators: Generators) -> None:
        self._db = db
        self._generators = generators

    async def __aenter__(self) -> Self:
        warm_up(self._db, self._generators)
        return self


class Announcement(Part):
    """Last to start: everything is bound, so say where; and that it is ready, once nobody objects any more."""

    name = "announcement"

    def __init__(self, services: Sequence[Service], readiness: Readiness) -> None:
        self._services = services
        self._readiness = readiness

    async def __aenter__(self) -> Self:
        for service in self._services:
            port = getattr(service, "port", 0)
            if port:
                log.info("listening", what=service.name, port=port)
        self._readiness.release(STARTING)
        return self

    async def run(self) -> None:
        """Say it; then wait for the end."""
        await self._readiness.wait()
        log.info("ready")
        await super().run()
