"""One writer among several replicas: an election by a Lease object, and writes that cannot outlast it.

Whoever writes to the cluster does so through a ``Fence``, which it is given while this replica leads and which fails
for ever once it does not. ``discovery.kube.election`` decides; here are the requests, the waits and the fence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec
from prometheus_client import CollectorRegistry, Gauge

from discovery.kube.election import Create, Election, LeaseRecord, LeaseTimes, Look, Renew, decode_lease, encode_lease
from discovery.kube.errors import ConflictError, KubeError, NotFoundError
from discovery.kube.resources import Resource
from discovery.kube.timing import Timing
from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger
from discovery.runtime.race import first_of
from discovery.runtime.supervise import Service

__all__ = [
    "LEASES",
    "ElectionMetrics",
    "Elector",
    "Fence",
    "LeaseClient",
    "LeaseElector",
    "NotLeadingError",
    "SoleWriter",
]

_FOR_EVER_S: Final = 100 * 365 * 86400.0
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases")
_log = get_logger("leader")


class NotLeadingError(Exception):
    """This replica is not the leader any more, so it must not write. Begin anew when it leads again."""


class LeaseClient(Protocol):
    """The requests of an election; `KubeClient` is one. It should be one of its own: renewals wait for nobody."""

    async def get(self, path: str, query: Mapping[str, str] = ...) -> bytes:
        """An object."""

    async def create(self, path: str, body: bytes) -> bytes:
        """POST."""

    async def replace(self, path: str, body: bytes) -> bytes:
        """PUT."""


class ElectionMetrics:
    """What elections tell, under the name that users of client-go know; the label is a lease's name."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.leading = Gauge(
            "leader_election_master_status", "1 where this replica leads.", labelnames=("name",), registry=registry
        )


class Fence:
    """The right to write for one term of leadership. Once lost it stays so: the next term has a fence of its own.

    Args:
        clock: counts on, and tells of a machine that was suspended: its monotonic clock may have stood still then.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._valid_until = float("-inf")
        self._wall_until = clock.now()
        self._lost = asyncio.Event()

    def extend(self, valid_until: float) -> None:
        """For the elector: the lease was renewed."""
        self._valid_until = valid_until
        remaining = timedelta(seconds=valid_until - self._clock.monotonic())
        self._wall_until = self._clock.now() + remaining

    def lose(self) -> None:
        """For the elector: the term is over."""
        self._lost.set()

    @property
    def remaining_s(self) -> float:
        """Seconds for which writes may still go out, if the lease is not renewed; 0 once the term is over."""
        if self._lost.is_set():
            return 0.0
        by_wall_s = (self._wall_until - self._clock.now()).total_seconds()
        remaining_s = min(self._valid_until - self._clock.monotonic(), by_wall_s)
        if remaining_s <= 0:
            self._lost.set()
        return max(0.0, remaining_s)

    def check(self) -> None:
        """Call right before each write.

        Raises:
            NotLeadingError: the term is over.
        """
        if self.remaining_s <= 0:
            raise NotLeadingError("the lease was lost; another replica may write")

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Around a write: it begins within the term and is broken off at its end.

        Raises:
            NotLeadingError: the term is over, or ended before the write did.
        """
        self.check()
        try:
            async with asyncio.timeout(self.remaining_s) as deadline:
                yield
        except TimeoutError:
            if not deadline.expired():
                raise
            raise NotLeadingError("a write took longer than the lease; it was broken off") from None

    async def until_lost(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Return when the term is over."""

        async def expiry() -> None:
            while self.remaining_s > 0:
                await sleep(self.remaining_s)

        async def loss() -> None:
            await self._lost.wait()

        await first_of(expiry(), loss())


class Elector(Service, Protocol):
    """Tells those who may write when they may."""

    @property
    def leading(self) -> bool:
        """Whether this replica may write now."""

    async def run_while_leading(self, make: Callable[[Fence], Awaitable[None]]) -> None:
        """For each term of leadership, have ``make(fence)`` run."""


class SoleWriter:
    """In place of an election where there is but one replica: it leads as long as it lives."""

    leading = True

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = f"sole writer {name}"
        self._clock = clock

    async def __aenter__(self) -> Self:
        """Nothing to bind."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release."""

    async def run(self) -> None:
        """Nothing to do until cancelled."""
        await asyncio.Event().wait()

    async def run_while_leading(self, make: Callable[[Fence], Awaitable[None]]) -> None:
        """Have ``make(fence)`` run, behind a fence that stands open."""
        fence = Fence(self._clock)
        fence.extend(self._clock.monotonic() + _FOR_EVER_S)
        await make(fence)
        await asyncio.Event().wait()


class LeaseElector:
    """Stands for election as long as it runs, and tells those who may write when they may. A ``Service``.

    Leaving it lets the lease go; by then all that ran under it must have ended, as `run_all` sees to.

    Args:
        client: of its own, see there.
        namespace: of the Lease.
        lease: its name.
        identity: unlike any other candidate's and unlike that of earlier lives, such as `<pod>_<random>`.
    """

    def __init__(  # noqa: PLR0913 - wired by name in one place
        self,
        client: LeaseClient,
        *,
        namespace: str,
        lease: str,
        identity: str,
        timing: Timing = Timing(),  # noqa: B008 - immutable
        times: LeaseTimes = LeaseTimes(),  # noqa: B008 - immutable
        metrics: ElectionMetrics | None = None,
    ) -> None:
        self.name = f"leader election {lease}"
        self._client = client
        self._namespace = namespace
        self._lease = lease
        self._path = LEASES.object(namespace, lease)
        self._clock = timing.clock
        self._times = times
        self._sleep = timing.sleep
        self._election = Election(identity, times)
        self._fence: Fence | None = None
        self._began = asyncio.Event()
        self._failing = ""
        self._gauge = None if metrics is None else metrics.leading.labels(lease)
        if self._gauge is not None:
            self._gauge.set_function(lambda: float(self.leading))

    @property
    def leading(self) -> bool:
        """Whether this replica may write now."""
        return self._fence is not None and self._fence.remaining_s > 0

    @property
    def holder(self) -> str:
        """Who holds the lease as far as is known here; empty: nobody."""
        return "" if self._election.seen is None else self._election.seen.holder

    async def __aenter__(self) -> Self:
        """Nothing to bind."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the lease go, so that another need not wait for its end; where that fails, it ends by itself."""
        self._end()
        if self.holder != self._election.identity:
            return
        try:
            async with asyncio.timeout(self._times.timeout_s):
                released = self._election.resign(await self._read(), self._clock.now())
                if released is not None:
                    await self._client.replace(self._path, self._encode(released))
                    _log.info("lease let go", lease=self._lease)
        except (KubeError, TimeoutError, msgspec.DecodeError) as failure:
            _log.warning("lease not let go, it ends by itself", lease=self._lease, reason=str(failure))

    async def run(self) -> None:
        """Stand for election until cancelled."""
        while True:
            step = self._election.next_step(self._clock.monotonic(), self._clock.now())
            if isinstance(step, Look | Create | Renew):
                await self._attempt(step)
            else:
                await self._sleep(max(0.0, step.until - self._clock.monotonic()))

    async def run_while_leading(self, make: Callable[[Fence], Awaitable[None]]) -> None:
        """For each term of leadership, have ``make(fence)`` run; when the term ends it is cancelled and waited for.

        It runs until cancelled. ``NotLeadingError`` out of ``make`` ends the term's work; what else it raises comes
        out of here.
        """
        while True:
            await self._began.wait()
            fence = self._fence
            if fence is not None and fence.remaining_s > 0:
                await self._run_term(fence, make)
            else:
                self._began.clear()  # lost and not noticed by anybody yet; `run` sets it with the next term

    async def _run_term(self, fence: Fence, make: Callable[[Fence], Awaitable[None]]) -> None:
        async def work() -> None:
            try:
                await make(fence)
            except NotLeadingError:
                return
            await asyncio.Event().wait()  # it has done all it wanted in this term

        async def term() -> None:
            await fence.until_lost(self._sleep)

        try:
            await first_of(term(), work())
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise

    # -- requests --------------------------------------------------------------------------------------------------

    async def _attempt(self, step: Look | Create | Renew) -> None:
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._times.timeout_s):
                if isinstance(step, Look):
                    self._election.observed(await self._read(), at=self._clock.monotonic())
                else:
                    self._election.written(await self._write(step), began=began)
        except (ConflictError, NotFoundError):
            self._election.refused()
        except (KubeError, TimeoutError, msgspec.DecodeError) as failure:
            self._election.failed(self._clock.monotonic())
            self._tell_failure(str(failure) or f"no answer within {self._times.timeout_s} s")
        else:
            self._tell_failure("")
        self._settle()

    async def _read(self) -> LeaseRecord | None:
        try:
            return decode_lease(await self._client.get(self._path))
        except NotFoundError:
            return None

    async def _write(self, step: Create | Renew) -> LeaseRecord:
        body = self._encode(step.record)
        if isinstance(step, Create):
            return decode_lease(await self._client.create(LEASES.collection(self._namespace), body))
        return decode_lease(await self._client.replace(self._path, body))

    def _encode(self, record: LeaseRecord) -> bytes:
        return encode_lease(record, namespace=self._namespace, name=self._lease)

    def _tell_failure(self, reason: str) -> None:
        """Once per kind of trouble: an API server that is away would fill the log otherwise."""
        if reason and reason != self._failing:
            _log.warning("lease cannot be read or written, trying again", lease=self._lease, reason=reason)
        self._failing = reason

    # -- terms -----------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Have the fence follow what the election says."""
        valid_until = self._election.valid_until(self._clock.monotonic())
        if valid_until is None:
            self._end()
        elif self._fence is not None and self._fence.remaining_s > 0:
            self._fence.extend(valid_until)
        else:
            self._end()  # the former term ran out unnoticed
            self._fence = Fence(self._clock)
            self._fence.extend(valid_until)
            self._began.set()
            _log.info("leading", lease=self._lease, identity=self._election.identity)

    def _end(self) -> None:
        fence, self._fence = self._fence, None
        if fence is not None:
            fence.lose()
            self._began.clear()
            _log.info("no longer leading", lease=self._lease, holder=self.holder)
