"""Probes the application for as long as the agent lives, and tells changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Final, Self

from agent.health.probe import Probe, Verdicts
from agent.status.readiness import Check, first_objection
from agent.xds_proxy.relay import Health
from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger

__all__ = ["HealthChecker"]

log = get_logger("healthcheck")

_APPLICATION: Final = "application"


class HealthChecker:
    """A ``Service``. The workload is well when its sidecar can serve and the application says so.

    Args:
        probe: how to ask the application.
        ask: asks it once; the reason why it is not well, empty when it is.
        report: told of each change, and while the workload is not well also when it is something else that fails.
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
        self._blocker: str | None = None  # that was told; None: the last word was not that it is unwell

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
        blocker, failure = await first_objection(self._checks) or (_APPLICATION, await self._ask(self._probe))
        changed = self._verdicts.take(well=not failure)
        # Words of one that fails may differ each time; who fails does not.
        elsewhere = bool(failure) and self._blocker not in (None, blocker)
        if not (changed or elsewhere):
            return
        self._blocker = blocker if failure else None
        if failure:
            log.warning("workload is unhealthy", reason=failure)
        else:
            log.info("workload is healthy")
        self._report(Health(failure=failure or None))
