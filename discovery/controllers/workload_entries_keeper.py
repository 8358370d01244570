"""Keeps the WorkloadEntries of connected proxies: takes what streams tell, and carries out what the plan says.

Keys of entries to look at wait in a dict, at most one mark per entry (it merges); a few workers take them. A write that
fails is tried again later; a stream never fails for it, as a machine must keep its sidecar while nobody can be written
to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from discovery.controllers.workload_entries import (
    Create,
    Delete,
    Document,
    Presence,
    Replace,
    ReplaceStatus,
    Report,
    Rules,
    Settled,
    Step,
    check_registrant,
    entry_key,
    group_key,
    is_leaked,
    is_registered,
    plan,
    plan_leaked,
)
from discovery.controllers.workload_entries_metrics import WorkloadEntryMetrics
from discovery.controllers.workload_entries_writer import (
    ChangedError,
    EntryWriter,
    InvalidEntryError,
    UnavailableError,
)
from discovery.registry.registrant import RefusedError, Registrant
from discovery.runtime.backoff import backoff_delays
from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger
from discovery.runtime.race import first_of
from discovery.schema.meta import Kind, Object, ObjectKey
from discovery.store.state import StoreCommit

__all__ = ["WorkloadEntryKeeper"]

_WORKERS: Final = 8
_STEPS: Final = 8  # of one look at an entry: more means that somebody undoes what we do
_FIRST_WRITE_S: Final = 1.0  # how long a stream waits for its entry before it is served without
_LAST_WRITES_S: Final = 3.0  # at the end of the process, to say who is not connected here any more
_FIRST_RETRY_S: Final = 0.2
_MAX_RETRY_S: Final = 30.0
_SWEEP_GRACES: Final = 10
_KINDS: Final = frozenset({Kind.WORKLOAD_ENTRY, Kind.WORKLOAD_GROUP})

_Seen = tuple[Object | None, Object | None]


class WorkloadEntryKeeper:
    """Takes part in streams of the xDS server (its ``Workloads``) and is a service.

    Args:
        writer: reads and writes entries.
        objects: the store's objects, live.
        rules: see there.
        clock: where instants come from.
        metrics: where to count.
        sleep: as ``asyncio.sleep``.
    """

    name = "workload entries"

    def __init__(
        self,
        writer: EntryWriter,
        objects: Mapping[ObjectKey, Object],
        *,
        rules: Rules,
        clock: Clock,
        metrics: WorkloadEntryMetrics | None = None,
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
    ) -> None:
        self._writer = writer
        self._objects = objects
        self._rules = rules
        self._clock = clock
        self._metrics = metrics or WorkloadEntryMetrics()
        self._sleep = sleep
        self._presences: dict[ObjectKey, Presence] = {}
        self._seen: dict[ObjectKey, _Seen] = {}
        self._todo: dict[ObjectKey, None] = {}
        self._busy: set[ObjectKey] = set()
        self._alarms: dict[ObjectKey, datetime] = {}
        self._retries: dict[ObjectKey, Iterator[float]] = {}
        self._waiters: dict[ObjectKey, asyncio.Future[None]] = {}
        self._news = asyncio.Event()
        self._alarms_moved = asyncio.Event()
        self._log = get_logger("autoregister")

    # -- what streams tell -----------------------------------------------------------------------------------------

    async def connect(self, registrant: Registrant) -> None:
        """A proxy has come. Returns when its entry is there, or soon if it cannot be written now.

        Raises:
            RefusedError: it may not be such a workload.
        """
        key = entry_key(registrant)
        try:
            check_registrant(registrant, self._group(registrant), self._objects.get(key), self._rules)
        except RefusedError as refused:
            self._metrics.errors.inc()
            self._log.warning("proxy not registered", proxy=registrant.proxy, reason=str(refused))
            raise
        self._presences[key] = Presence(registrant=registrant)
        self._mark(key)
        waiter = self._waiters.get(key)
        if waiter is None or waiter.done():
            waiter = self._waiters[key] = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_WRITE_S):
                await asyncio.shield(waiter)

    def disconnect(self, registrant: Registrant) -> None:
        """Its stream has ended."""
        key = entry_key(registrant)
        presence = self._presences.get(key)
        if presence is None or presence.registrant != registrant:
            return  # it came back on another stream before this one ended
        self._metrics.unregistrations.inc()
        self._log.info("proxy of a workload entry left", proxy=registrant.proxy, resource=str(key))
        self._presences[key] = msgspec.structs.replace(presence, left_at=self._clock.now())
        self._mark(key)

    def report_health(self, registrant: Registrant, failure: str | None) -> None:
        """Its agent says how the application is; ``failure`` is None when it is healthy."""
        key = entry_key(registrant)
        presence = self._presences.get(key)
        if presence is None or presence.registrant != registrant:
            return
        self._log.info("health of a workload", proxy=registrant.proxy, resource=str(key), failure=failure or "")
        report = Report(failure, self._clock.now())
        self._presences[key] = msgspec.structs.replace(presence, report=report)
        self._mark(key)

    def on_commit(self, done: StoreCommit) -> None:
        """Take a commit of the store; to be subscribed to it."""
        if done.kinds & _KINDS:
            for key, presence in self._presences.items():
                if presence.left_at is None and self._seen.get(key) != self._look(key, presence.registrant):
                    self._mark(key)

    def _look(self, key: ObjectKey, registrant: Registrant) -> _Seen:
        return self._objects.get(key), self._group(registrant)

    def _group(self, registrant: Registrant) -> Object | None:
        return self._objects.get(group_key(registrant)) if registrant.group else None

    # -- the service -----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Nothing to bind."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say of all that were connected that they are not any more: who takes them over need not wait for us."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WRITES_S), asyncio.TaskGroup() as group:
                for _ in range(_WORKERS):
                    group.create_task(self._finish())

    async def run(self) -> None:
        """Write entries until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(_WORKERS):
                group.create_task(self._work(), name=f"workload entries {number}")
            group.create_task(self._watch_time(), name="workload entries timer")

    async def _work(self) -> None:
        while True:
            key = self._take()
            if key is None:
                self._news.clear()
                await self._news.wait()
            else:
                await self._attend(key)

    async def _finish(self) -> None:
        while (key := self._take()) is not None:
            await self._attend(key)

    def _mark(self, key: ObjectKey) -> None:
        self._todo[key] = None
        self._news.set()

    def _take(self) -> ObjectKey | None:
        key = next((key for key in self._todo if key not in self._busy), None)
        if key is not None:
            del self._todo[key]
        return key

    async def _watch_time(self) -> None:
        """Mark entries whose time has come, and now and then look for those that nobody has."""
        every = self._rules.grace * _SWEEP_GRACES
        sweep_at = self._clock.now() + every
        while True:
            self._alarms_moved.clear()
            now = self._clock.now()
            for key in [key for key, at in self._alarms.items() if at <= now]:
                del self._alarms[key]
                self._mark(key)
            if sweep_at <= now:
                sweep_at = now + every
                self._sweep(now)
            next_at = min([sweep_at, *self._alarms.values()])
            await first_of(self._alarms_moved.wait(), self._sleep((next_at - now).total_seconds()))

    def _sweep(self, now: datetime) -> None:
        for key, obj in self._objects.items():
            if key.kind is not Kind.WORKLOAD_ENTRY or key in self._presences or not is_registered(obj):
                continue
            if is_leaked(obj.meta.annotations, self._rules, now):
                self._log.info("workload entry without a proxy", resource=str(key))
                self._mark(key)

    # -- one entry -------------------------------------------------------------------------------------------------

    async def _attend(self, key: ObjectKey) -> None:
        """Bring one entry level, or see to it that it is tried again."""
        self._busy.add(key)
        retry_s = 0.0
        try:
            await self._bring_level(key)
            self._retries.pop(key, None)
        except ChangedError as error:
            retry_s = self._next_retry_s(key)
            self._log.debug("workload entry changes under us; again", resource=str(key), reason=str(error))
        except UnavailableError as error:
            retry_s = max(self._next_retry_s(key), error.retry_after_s)
            self._log.warning("workload entry not written; again", resource=str(key), reason=str(error), in_s=retry_s)
        except InvalidEntryError as error:
            retry_s = _MAX_RETRY_S
            self._log.error("workload entry refused", resource=str(key), reason=str(error))
        except Exception as error:  # noqa: BLE001 - the boundary of one entry
            retry_s = _MAX_RETRY_S
            self._log.error("workload entry failed", resource=str(key), exc_info=error)
        finally:
            self._busy.discard(key)
            self._news.set()  # it may be marked again
        if retry_s:
            self._metrics.errors.inc()
            self._wake(key, self._clock.now() + timedelta(seconds=retry_s))
        waiter = self._waiters.pop(key, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _next_retry_s(self, key: ObjectKey) -> float:
        if key not in self._retries:
            self._retries[key] = backoff_delays(first_s=_FIRST_RETRY_S, max_s=_MAX_RETRY_S)
        return next(self._retries[key])

    def _wake(self, key: ObjectKey, at: datetime) -> None:
        self._alarms[key] = at
        self._alarms_moved.set()

    async def _bring_level(self, key: ObjectKey) -> None:
        existing = await self._writer.read(key)
        for _ in range(_STEPS):
            presence = self._presences.get(key)
            step = self._plan(key, presence, existing)
            if isinstance(step, Settled):
                self._settle(key, presence, step)
                return
            existing = await self._carry_out(key, step)
        raise ChangedError(f"{key} was not as wanted after {_STEPS} writes")

    def _plan(self, key: ObjectKey, presence: Presence | None, existing: Document | None) -> Step:
        now = self._clock.now()
        if presence is None:
            return plan_leaked(existing, self._rules, now)
        self._seen[key] = self._look(key, presence.registrant)
        return plan(presence, existing, self._group(presence.registrant), self._rules, now)

    def _settle(self, key: ObjectKey, presence: Presence | None, step: Settled) -> None:
        if step.over and self._presences.get(key) is presence:
            self._presences.pop(key, None)
            self._seen.pop(key, None)
        elif step.again_at is not None:
            self._wake(key, step.again_at)

    async def _carry_out(self, key: ObjectKey, step: Create | Replace | ReplaceStatus | Delete) -> Document | None:
        match step:
            case Create():
                written = await self._writer.create(step.document)
                self._metrics.registrations.inc()
                self._log.info("workload entry created", resource=str(key))
                return written
            case Replace():
                self._metrics.updates.inc()
                return await self._writer.replace(step.document)
            case ReplaceStatus():
                return await self._writer.replace_status(step.document)
            case Delete():
                await self._writer.delete(step.document)
                self._metrics.deletions.inc()
                self._log.info("workload entry deleted", resource=str(key))
                return None
