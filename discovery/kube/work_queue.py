"""Keys to be reconciled: each waits once however often it is named, is in one pair of hands at a time, and comes back
later and later while it fails.

Level-triggered: a key only says "look again", so merging loses nothing. The queue holds each key at most once, so it is
bounded by the number of objects. What it decides is in ``Schedule``, which knows neither clock nor loop.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Hashable
from heapq import heappop, heappush
from math import inf
from typing import Final, Generic, TypeVar

from discovery.kube.errors import ApiError, KubeError
from discovery.kube.throttle import TokenBucket
from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger
from discovery.runtime.race import first_of

__all__ = ["Schedule", "WorkQueue"]

_FIRST_S: Final = 0.05
_MAX_S: Final = 300.0
_RETRIES_PER_S: Final = 10.0  # of all keys together, as client-go's controllers
_RETRIES_BURST: Final = 100
_JITTER: Final = 0.2

K = TypeVar("K", bound=Hashable)
Reconcile = Callable[[K], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]


class Schedule(Generic[K]):
    """Which key is due when. Instants are monotonic seconds."""

    def __init__(self) -> None:
        self._due_at: dict[K, float] = {}  # that wait
        self._heap: list[tuple[float, int, K]] = []  # entries that ``_due_at`` does not confirm are old
        self._order = 0
        self._running: dict[K, float] = {}  # in hand; when it is due again, infinity if not

    def __len__(self) -> int:
        return len(self._due_at)

    def add(self, key: K, due_at: float) -> None:
        """Have the key worked on at that time, or earlier if it waits for an earlier one."""
        if key in self._running:
            self._running[key] = min(self._running[key], due_at)
        elif due_at < self._due_at.get(key, inf):
            self._due_at[key] = due_at
            self._order += 1
            heappush(self._heap, (due_at, self._order, key))

    def next_at(self) -> float:
        """When the next key is due; infinity when none waits."""
        while self._heap and self._due_at.get(self._heap[0][2]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else inf

    def take(self, now: float) -> K | None:
        """The key that is due for longest, which is in hand from now on; None when none is due."""
        if self.next_at() > now:
            return None
        _, _, key = heappop(self._heap)
        del self._due_at[key]
        self._running[key] = inf
        return key

    def done(self, key: K) -> None:
        """It is in hand no more; if it was named meanwhile it waits again."""
        again_at = self._running.pop(key)
        if again_at < inf:
            self.add(key, again_at)


class WorkQueue(Generic[K]):
    """Calls ``reconcile`` for keys.

    A failure is logged and the key comes back after 50 ms, twice as long each time up to five minutes; what the API
    server asks to wait is respected. All keys together fail ten times per second at most, after a burst of 100.

    Args:
        name: what it is called in logs.
        clock: for instants.
        chance: uniform numbers in [0, 1), for jitter.
        sleep: waits in seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Clock,
        chance: Callable[[], float] = random.random,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._name = name
        self._clock = clock
        self._chance = chance
        self._sleep = sleep
        self._schedule: Schedule[K] = Schedule()
        self._failures: dict[K, int] = {}
        self._bucket = TokenBucket(per_s=_RETRIES_PER_S, burst=_RETRIES_BURST, now=clock.monotonic())
        self._added = asyncio.Event()
        self._log = get_logger("kube")

    def __len__(self) -> int:
        return len(self._schedule)

    def add(self, key: K, *, after_s: float = 0.0) -> None:
        """Have the key reconciled, now or after some seconds."""
        self._schedule.add(key, self._clock.monotonic() + after_s)
        self._added.set()

    async def run(self, reconcile: Reconcile[K], *, workers: int = 1, fatal: tuple[type[Exception], ...] = ()) -> None:
        """Work until cancelled; ``workers`` keys at a time, never the same one twice.

        Raises:
            ExceptionGroup: of an error that ``fatal`` names; its key waits again.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work(reconcile, fatal), name=f"{self._name} worker")

    async def _work(self, reconcile: Reconcile[K], fatal: tuple[type[Exception], ...]) -> None:
        while True:
            key = await self._take()
            try:
                await reconcile(key)
                self._failures.pop(key, None)
            except asyncio.CancelledError:
                self._schedule.add(key, self._clock.monotonic())
                raise
            except fatal:
                self._schedule.add(key, self._clock.monotonic())
                raise
            # A crash boundary: one key must not stop the others, whatever is wrong with it.
            except Exception as error:  # noqa: BLE001
                self._again(key, error)
            finally:
                self._schedule.done(key)
                self._added.set()

    async def _take(self) -> K:
        while True:
            now = self._clock.monotonic()
            key = self._schedule.take(now)
            if key is not None:
                return key
            self._added.clear()
            wait_s = self._schedule.next_at() - now
            if wait_s == inf:
                await self._added.wait()
            else:
                await first_of(self._pause(wait_s), self._heard())

    async def _pause(self, seconds: float) -> None:
        await self._sleep(seconds)

    async def _heard(self) -> None:
        await self._added.wait()

    def _again(self, key: K, error: Exception) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay_s = min(_MAX_S, _FIRST_S * 2 ** min(failures, 30)) * (1 + _JITTER * (2 * self._chance() - 1))
        asked_s = error.retry_after_s if isinstance(error, ApiError) else 0.0
        now = self._clock.monotonic()
        delay_s = max(delay_s, asked_s, self._bucket.take(now))
        self._schedule.add(key, now + delay_s)
        facts = {"queue": self._name, "key": str(key), "tries": failures + 1, "again_s": round(delay_s, 3)}
        if isinstance(error, KubeError):
            self._log.warning("not reconciled", **facts, reason=str(error))
        else:  # a mistake of ours: tell where
            self._log.error("not reconciled", **facts, reason=repr(error), exc_info=error)
