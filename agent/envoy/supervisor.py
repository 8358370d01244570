"""One Envoy per agent: started, watched, drained, ended; started again after a crash if the agent was told to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from agent.envoy.admin import AdminError, EnvoyAdmin
from agent.envoy.crashes import Crashes, GiveUp, explain_exit
from agent.envoy.ending import Close, Drain, DrainPolicy, Reason, Step, Wait, WaitForZero, plan_drain, plan_ending
from agent.envoy.replacement import Replacement
from agent.envoy.stats import count_connections
from discovery.runtime.logs import get_logger
from discovery.runtime.process import Process
from discovery.runtime.process_lifecycle import Exit
from discovery.runtime.race import first_of

__all__ = ["EnvoySupervisor"]

_LOG: Final = get_logger("envoy")
_DRAIN_TIMEOUT_S: Final = 5.0
_STATS_TIMEOUT_S: Final = 2.0
_POLL_S: Final = 1.0
_MAX_FAILURES: Final = 5


class EnvoySupervisor:
    """The life of one Envoy as a ``Service``; when it is over, ``over`` is set and the rest of the agent may go.

    ``request_end`` may be called at any time, also more than once; the first reason counts.
    """

    def __init__(  # noqa: PLR0913 - each is a part of its own
        self,
        spawn: Callable[[int], Process],
        admin: EnvoyAdmin,
        policy: DrainPolicy,
        *,
        own_ports: Collection[int] = (),
        max_restarts: int = 0,
        over: asyncio.Event,
        monotonic: Callable[[], float],
        replacement: Replacement | None = None,
    ) -> None:
        """``spawn`` makes the process of an epoch, not started yet; ``max_restarts``: see ``Crashes``."""
        self._spawn = spawn
        self._process = spawn(0)
        self._epoch = 0
        self._retiring: Process | None = None
        self._replacement = replacement
        self._wanted = asyncio.Event()
        self._crashes = Crashes(max_restarts=max_restarts)
        self._monotonic = monotonic
        self._started_at = 0.0
        self._lives = 0
        self._life: int | None = None
        self._admin = admin
        self._policy = policy
        self._own_ports = own_ports
        self._over = over
        self._reason: Reason | None = None
        self._asked = asyncio.Event()
        self._drained = False

    @property
    def name(self) -> str:
        """What it is called in logs and errors."""
        return self._process.name

    @property
    def exit(self) -> Exit | None:
        """How Envoy ended, None while it lives."""
        return self._process.exit

    @property
    def lives(self) -> int:
        """How many have been started."""
        return self._lives

    @property
    def life(self) -> int | None:
        """Which of them runs, counted from 1; None while none does."""
        return self._life if self._process.exit is None else None

    @property
    def ending(self) -> bool:
        """Whether somebody asked for the end."""
        return self._asked.is_set()

    def request_end(self, reason: Reason) -> None:
        """Begin the ending; ``run`` carries it out."""
        if self._reason is None:
            self._reason = reason
            self._asked.set()

    @property
    def replaceable(self) -> bool:
        """Whether another Envoy can be put in the place of this one."""
        return self._replacement is not None

    def tell_epochs(self, listener: Callable[[int], None]) -> None:
        """Tell from now on which Envoy is to be served configuration; with it all that come after."""
        if self._replacement is not None:
            self._replacement.tell_epochs(listener)

    def request_replacement(self) -> None:
        """Put another Envoy in the place of this one; ``run`` carries it out."""
        self._wanted.set()

    def kill(self) -> None:
        """End Envoy at once, whatever it is doing."""
        self._process.kill()

    async def drain(self) -> None:
        """Stop taking connections now; a later SIGTERM will not wait again."""
        for step in plan_drain(self._policy):
            await self._do(step)
        self._drained = True

    async def __aenter__(self) -> Self:
        """Start Envoy.

        Raises:
            SpawnError: it cannot be started.
        """
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in filter(None, (self._retiring, self._process)):
            process.kill_now()
            ended = await process.wait()
            _LOG.debug("Envoy is gone", how=str(ended))
        if self._replacement is not None:
            self._replacement.remove_traces()

    async def run(self) -> None:
        """Watch Envoy until it ends by itself or has been brought to its end; then wait to be cancelled.

        Raises:
            SpawnError: one that crashed cannot be started again.
        """
        if self._replacement is not None:
            await self._replacement.remember()
        while True:
            await first_of(self._process.wait(), self._asked.wait(), self._wanted.wait())
            if self._process.exit is None and self._reason is None:
                self._wanted.clear()
                await self._replace()
                continue
            if self._process.exit is None and self._reason is not None:
                await self._end(self._reason)
            if not await self._goes_on(await self._process.wait()):
                break
            await self._start()
        self._over.set()
        await asyncio.get_running_loop().create_future()

    async def _start(self) -> None:
        self._life = None
        if self._lives:
            await self._end_retiring()
            self._process = self._spawn(0)
            self._epoch = 0
            if self._replacement is not None:
                self._replacement.start_over()
        await self._process.start()
        self._lives += 1
        self._life = self._lives
        self._started_at = self._monotonic()
        _LOG.info("Envoy started", pid=self._process.pid)

    async def _replace(self) -> None:
        if self._replacement is None:
            _LOG.warning("Envoy is not replaced: ENVOY_HOT_RESTART is not set")
            return
        if self._retiring is not None and self._retiring.exit is None:
            _LOG.warning("Envoy is not replaced: the one before it has not ended yet; ask again when it has")
            return
        if reason := await self._replacement.objection():
            _LOG.error("Envoy is not replaced; the running one goes on", reason=reason)
            return
        successor = self._spawn(self._epoch + 1)
        if await self._replacement.bring_up(successor, epoch=self._epoch + 1, current=self._process, asked=self._asked):
            self._retiring, self._process = self._process, successor
            self._epoch += 1
            self._lives += 1
            self._life = self._lives
            self._started_at = self._monotonic()
            _LOG.info("Envoy replaced; the one before drains and ends", pid=successor.pid, epoch=self._epoch)

    async def _end_retiring(self) -> None:
        """Without a successor the one before has nobody to hand over to, and holds ports."""
        if self._retiring is not None:
            self._retiring.kill_now()
            await self._retiring.wait()

    async def _goes_on(self, ended: Exit) -> bool:
        """Tell how it ended, and wait for the time to start another one; whether there shall be one."""
        lived_s = self._monotonic() - self._started_at
        facts = {"how": str(ended), "after_s": round(lived_s, 1)}
        if hint := explain_exit(ended, lived_s=lived_s):
            facts["hint"] = hint
        if ended.clean or self._reason is not None:
            _LOG.info("Envoy ended", **facts)
            return False
        verdict = self._crashes.on_exit(lived_s=lived_s)
        if isinstance(verdict, GiveUp):
            _LOG.error("Envoy exited with error; ending the agent", **facts, restarts=verdict.restarts)
            return False
        _LOG.error("Envoy exited with error; starting it again", **facts, restart=verdict.number, in_s=verdict.delay_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(verdict.delay_s):
                await self._asked.wait()
        return self._reason is None

    async def _end(self, reason: Reason) -> None:
        steps = plan_ending(reason, self._policy, drained=self._drained)
        _LOG.info("ending Envoy", reason=reason.value, drain=bool(steps))
        for step in steps:
            if self._process.exit is None:
                await self._do(step)
        self._process.kill()

    async def _do(self, step: Step) -> None:
        match step:
            case Drain(inbound_only, skip_exit):
                order = self._admin.drain_listeners(
                    inbound_only=inbound_only, skip_exit=skip_exit, timeout_s=_DRAIN_TIMEOUT_S
                )
                await self._try("drain", order)
            case Close(inbound_only):
                order = self._admin.close_listeners(inbound_only=inbound_only, timeout_s=_DRAIN_TIMEOUT_S)
                await self._try("closing listeners", order)
            case Wait(seconds):
                await self._wait(seconds)
            case WaitForZero(minimum_s, maximum_s):
                try:
                    async with asyncio.timeout(maximum_s):
                        await self._wait(minimum_s)
                        await self._wait_for_zero()
                except TimeoutError:
                    _LOG.warning("connections are still open; ending all the same", waited_s=maximum_s)

    async def _try(self, what: str, order: Awaitable[None]) -> None:
        try:
            await order
        except AdminError as error:
            _LOG.warning("order to Envoy failed; going on", order=what, reason=str(error))

    async def _wait(self, seconds: float) -> bool:
        """Whether Envoy is still there after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._process.wait()
        except TimeoutError:
            return True
        return False

    async def _wait_for_zero(self) -> None:
        failures = 0
        while failures < _MAX_FAILURES and self._process.exit is None:
            try:
                stats = await self._admin.stats("downstream_cx_active$", timeout_s=_STATS_TIMEOUT_S)
            except AdminError as error:
                failures += 1
                _LOG.warning("open connections are unknown", reason=str(error), failures=failures)
            else:
                failures = 0
                active = count_connections(stats, own_ports=self._own_ports)
                if active <= 0:
                    _LOG.info("no open connections")
                    return
                _LOG.info("waiting for open connections", active=active)
            if not await self._wait(_POLL_S):
                return
