"""One container from its first start to its last end: hooks, probes, restarts with back-off, termination with grace."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import msgspec

from discovery.runtime.clock import Clock
from tests.kube.kubelet.api import ApiError
from tests.kube.kubelet.container_plan import InvalidContainerError
from tests.kube.kubelet.environment import Json, MissingReferenceError
from tests.kube.kubelet.probes import Probe, ProbeTally, Verdict, ask_once, parse_probe, run_handler
from tests.kube.kubelet.process import ContainerProcess
from tests.kube.kubelet.records import ContainerRecord, Role

__all__ = ["ContainerRunner", "RestartPolicy", "Surroundings"]

RestartPolicy = Callable[[int], bool]
"""Whether to start again after an end with this status."""

_CONFIG_RETRY_S: Final = 0.5
_BACKOFF_S: Final = 0.5  # a kubelet begins with 10 s and ends with 300
_BACKOFF_MAX_S: Final = 10.0
_LAST_GRACE_S: Final = 2.0  # what is left to a process when its preStop took all
_HOOK_S: Final = 600.0


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a container has of its pod.

    Attributes:
        changed: called when the record has changed.
        grace_s: of the pod; for ends that probes cause.
    """

    ip: str
    grace_s: float
    changed: Callable[[], None]
    clock: Clock


class ContainerRunner:
    """Runs one container of a pod. `begun`: the postStart hook is done; `started`: the startup probe, too."""

    def __init__(
        self,
        record: ContainerRecord,
        surroundings: Surroundings,
        *,
        launch: Callable[[], Coroutine[Any, Any, ContainerProcess]],
        restarts: RestartPolicy,
    ) -> None:
        self.record = record
        self.begins = False  # whether it is this container's turn, or was
        self.begun = asyncio.Event()
        self.started = asyncio.Event()
        self.ended = asyncio.Event()
        self._launch = launch
        self._restarts = restarts
        self._grace_s = surroundings.grace_s
        self._ip = surroundings.ip
        self._changed = surroundings.changed
        self._clock = surroundings.clock
        self._process: ContainerProcess | None = None
        self._process_ended = asyncio.Event()
        self._stopping = asyncio.Event()

    @property
    def _spec(self) -> Json:
        return self.record.spec

    async def run(self) -> None:
        """Until it has ended and will not be started again."""
        self.begins = True
        try:
            backoff_s = _BACKOFF_S
            while not self._stopping.is_set():
                process = await self._start()
                if process is None:
                    continue
                code = await self._run_once(process)
                self.record.set_terminated(code, self._clock.now())
                self._changed()
                if self._stopping.is_set() or not self._restarts(code):
                    break
                await self._pause(backoff_s, "CrashLoopBackOff", f"back-off {backoff_s:g} s after exit status {code}")
                backoff_s = min(2 * backoff_s, _BACKOFF_MAX_S)
                self.record.restarts += 1
        finally:
            self.ended.set()
            self._changed()

    async def stop(self, grace_s: float, after: Sequence[asyncio.Event] = ()) -> None:
        """PreStop hook, SIGTERM, SIGKILL when the grace is over; returns when it has ended for good.

        ``after``: what SIGTERM waits for. The hook does not: a sidecar's runs as soon as its pod is to end.
        """
        self._stopping.set()
        await self._terminate(grace_s, after)

    async def _start(self) -> ContainerProcess | None:
        try:
            process = await self._launch()
            await process.start()
        except (MissingReferenceError, InvalidContainerError, ApiError) as error:
            await self._pause(_CONFIG_RETRY_S, "CreateContainerConfigError", str(error))
            return None
        self._process_ended = asyncio.Event()
        self._process = process
        self.record.set_running(self._clock.now())
        self._changed()
        return process

    async def _pause(self, seconds: float, reason: str, message: str) -> None:
        self.record.set_waiting(reason, message)
        self._changed()
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def _run_once(self, process: ContainerProcess) -> int:
        try:
            if self._stopping.is_set():  # we were asked while it was starting
                await process.signal(signal.SIGKILL)
            async with asyncio.TaskGroup() as group:
                care = group.create_task(self._care())
                code = await process.wait()
                care.cancel()
            return code
        finally:
            process.kill_now()
            self._process = None
            self._process_ended.set()

    async def _care(self) -> None:
        """What a kubelet does beside a running container."""
        hook = (self._spec.get("lifecycle") or {}).get("postStart")
        if hook is not None:
            good, words = await self._handle(hook, _HOOK_S)
            if not good:
                await self._fail(f"FailedPostStartHook: {words}", None)
                return
        self.begun.set()
        startup = parse_probe(self._spec.get("startupProbe"))
        if startup is not None and not await self._probe_startup(startup):
            return
        self.record.started = True
        self.started.set()
        readiness = parse_probe(self._spec.get("readinessProbe"))
        if readiness is None and self.record.role is not Role.INIT:
            self.record.ready = True
        self._changed()
        async with asyncio.TaskGroup() as group:
            if readiness is not None:
                group.create_task(self._probe_readiness(readiness))
            liveness = parse_probe(self._spec.get("livenessProbe"))
            if liveness is not None:
                group.create_task(self._probe_liveness(liveness))

    async def _probe_startup(self, probe: Probe) -> bool:
        tally = ProbeTally(probe)
        await asyncio.sleep(probe.initial_delay_s)
        while True:
            good, words = await self._ask(probe)
            verdict = tally.add(good=good)
            if verdict is Verdict.SUCCESS:
                return True
            if verdict is Verdict.FAILURE:
                await self._fail(f"startup probe failed: {words}", probe.grace_s)
                return False
            await asyncio.sleep(probe.period_s)

    async def _probe_readiness(self, probe: Probe) -> None:
        tally = ProbeTally(probe)
        await asyncio.sleep(probe.initial_delay_s)
        while True:
            good, _ = await self._ask(probe)
            ready = tally.add(good=good) is Verdict.SUCCESS
            if ready != self.record.ready:
                self.record.ready = ready
                self._changed()
            await asyncio.sleep(probe.period_s)

    async def _probe_liveness(self, probe: Probe) -> None:
        tally = ProbeTally(probe)
        await asyncio.sleep(probe.initial_delay_s)
        while not self._stopping.is_set():
            good, words = await self._ask(probe)
            if tally.add(good=good) is Verdict.FAILURE and not self._stopping.is_set():
                await self._fail(f"liveness probe failed: {words}", probe.grace_s)
                return
            await asyncio.sleep(probe.period_s)

    async def _ask(self, probe: Probe) -> tuple[bool, str]:
        return await ask_once(probe, container=self._spec, ip=self._ip, process=lambda: self._process)

    async def _handle(self, hook: Json, timeout_s: float) -> tuple[bool, str]:
        return await run_handler(
            hook, container=self._spec, ip=self._ip, process=lambda: self._process, timeout_s=timeout_s
        )

    async def _fail(self, reason: str, grace_s: int | None) -> None:
        """End this run; what follows is up to the restart policy."""
        if self._process is not None:
            self._process.note(f"kubelet: {reason}")
        await self._terminate(self._grace_s if grace_s is None else float(grace_s))

    async def _terminate(self, grace_s: float, after: Sequence[asyncio.Event] = ()) -> None:
        process, process_ended = self._process, self._process_ended
        if process is None:
            return
        deadline = self._clock.monotonic() + grace_s
        hook = (self._spec.get("lifecycle") or {}).get("preStop")
        try:
            async with asyncio.timeout(grace_s):
                if hook is not None and grace_s > 0:
                    await self._handle(hook, grace_s)
                for event in after:
                    await event.wait()
        except TimeoutError:
            process.note("kubelet: the preStop hook, or what it ends after, took all of the grace period")
        await process.signal(signal.SIGTERM)
        left_s = max(deadline - self._clock.monotonic(), _LAST_GRACE_S if grace_s > 0 else 0.0)
        try:
            async with asyncio.timeout(left_s):
                await process_ended.wait()
        except TimeoutError:
            process.note(f"kubelet: not ended {grace_s:g} s after it was asked to: killed")
            await process.signal(signal.SIGKILL)
            await process_ended.wait()
