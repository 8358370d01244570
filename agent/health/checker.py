"""Probes the application for as long as the agent lives, and tells changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

from agent.health.probe import Probe, Verdicts
from agent.status.readiness import Check, first_objection
from agent.xds_proxy.relay import Health
from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger

__all__ = ["HealthChecker"]

log = get_logger("healthcheck")


class HealthChecker:
    """A ``Service``. The workload is well when its sidecar can serve and the application says so.

    Args:
        probe: how to ask the application.
        ask: asks it once; the reason why it is not well, empty when it is.
        report: told of each change.
        checks: whether the sidecar can serve; asked first.
        clock: for the period.
        sleep: as ``asyncio.sleep``.
    """

    name = "health checks"

    def __init__(
        self,
        probe: Probe,
        ask: Callable[[Probe], Awaitable[str]],
        report: Callable[[Health], None],
        *,
        clock: Clock,
        checks: Sequence[Check] = (),
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
    ) -> None:
        self._probe = probe
        self._ask = ask
        self._report = report
        self._clock = clock
        self._checks = checks
        self._sleep = sleep
        self._verdicts = Verdicts(probe)

    async def __aenter__(self) -> Self:
        """Nothing to bind."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release."""

    async def run(self) -> None:
        """Probe until cancelled."""
        await self._sleep(self._probe.initial_delay_s)
        while True:
            began_at = self._clock.monotonic()
            await self._probe_once()
            took_s = self._clock.monotonic() - began_at
            await self._sleep(max(0.0, self._probe.period_s - took_s))

    async def _probe_once(self) -> None:
        objection = await first_objection(self._checks)
        failure = objection[1] if objection is not None else await self._ask(self._probe)
        if not self._verdicts.take(well=not failure):
            return
        if failure:
            log.warning("workload is unhealthy", reason=failure)
        else:
            log.info("workload is healthy")
        self._report(Health(failure=failure or None))
