"""Kubernetes Events about objects: told once, counted when they repeat, never a flood.

What happens again to the same object with the same words raises the count of its Event instead of making another. An
object that changes its words all the time is told of at a bounded rate; what does not fit is dropped and counted, for
Events are hints, not records. Conditions in the object's status say what holds.

Spec: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry

from discovery.kube.client import PatchKind
from discovery.kube.errors import ForbiddenError, InvalidError, KubeError, NotFoundError
from discovery.kube.resources import Resource
from discovery.kube.throttle import TokenBucket
from discovery.kube.timing import Timing
from discovery.kube.work_queue import WorkQueue
from discovery.kube.writer import FencedWriter
from discovery.runtime.logs import get_logger
from discovery.runtime.metrics import PlainCounter

__all__ = ["EVENTS", "EventLimits", "EventRecorder", "EventType", "Happening", "ObjectReference"]

EVENTS: Final = Resource("events.k8s.io", "v1", "events")
_NOTE_BYTES: Final = 1024
_CLUSTER_SCOPED: Final = "default"  # where Events about objects without a namespace go
_log = get_logger("events")


class EventType(StrEnum):
    """NORMAL: for information. WARNING: somebody should look."""

    NORMAL = "Normal"
    WARNING = "Warning"


class ObjectReference(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Which object."""

    api_version: str
    kind: str
    namespace: str = ""
    name: str
    uid: str = ""
    resource_version: str = ""


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of an object.

    Attributes:
        reason: a word, for machines.
        action: what was done, a word.
        note: for people; cut at 1024 bytes.
    """

    regarding: ObjectReference
    type: EventType
    reason: str
    action: str
    note: str

    @property
    def identity(self) -> tuple[str, ...]:
        """What must be equal for it to be the same happening again; the object's version need not."""
        about = self.regarding
        return about.kind, about.namespace, about.name, about.uid, self.type, self.reason, self.note


class EventLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is told.

    Attributes:
        kept: Events that are remembered, to be counted; of more the oldest is told anew when it repeats.
        burst: new Events and counts per object at once.
        refill_s: after so many seconds an object may be told of once more.
        objects: objects whose rate is remembered.
    """

    kept: int = 1024
    burst: int = 10
    refill_s: float = 60.0
    objects: int = 1024


class _Told(msgspec.Struct):
    """An Event as it is known here. ``name`` is empty until it has been made."""

    happening: Happening
    name: str = ""
    count: int = 0  # happened
    written: int = 0  # of these the API server knows
    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)


class _Outcome(StrEnum):
    WRITTEN = "written"
    DROPPED = "dropped"
    FAILED = "failed"


class EventRecorder:
    """Takes happenings at any time, and writes them while this replica leads.

    Args:
        component: who tells, such as `istiod`.
        instance: which of its replicas.
    """

    def __init__(
        self,
        *,
        component: str,
        instance: str,
        timing: Timing = Timing(),  # noqa: B008 - immutable
        limits: EventLimits = EventLimits(),  # noqa: B008 - immutable
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._component = component
        self._instance = instance
        self._timing = timing
        self._limits = limits
        self._told: OrderedDict[tuple[str, ...], _Told] = OrderedDict()
        self._buckets: OrderedDict[tuple[str, ...], TokenBucket] = OrderedDict()
        self._queue: WorkQueue[tuple[str, ...]] = WorkQueue("events", clock=timing.clock, sleep=timing.sleep)
        self._leading = False
        self.counts = PlainCounter(
            "pilot_k8s_events_total",
            "Events about objects, by what became of them.",
            registry=registry,
            label="outcome",
            values=tuple(_Outcome),
        )

    def record(self, happening: Happening) -> None:
        """It happened. Where another replica leads that one tells; here it is forgotten."""
        if not self._leading:
            return
        if not self._allowed(happening):
            self.counts.inc(_Outcome.DROPPED)
            return
        told = self._told.get(happening.identity)
        if told is None:
            while len(self._told) >= self._limits.kept:
                self._told.popitem(last=False)
            told = self._told[happening.identity] = _Told(happening)
        self._told.move_to_end(happening.identity)
        told.count += 1
        told.at = self._timing.clock.now()
        self._queue.add(happening.identity)

    async def lead(self, writer: FencedWriter, fatal: tuple[type[Exception], ...]) -> None:
        """Write what is recorded, until cancelled.

        Raises:
            ExceptionGroup: of an error that ``fatal`` names.
        """
        self._leading = True
        try:
            await self._queue.run(lambda key: self._write(key, writer), fatal=fatal)
        finally:
            self._leading = False
            self._told.clear()  # who leads next knows nothing of these Events, nor shall we when we lead again

    def _allowed(self, happening: Happening) -> bool:
        about = happening.regarding
        key = (about.kind, about.namespace, about.name)
        now = self._timing.clock.monotonic()
        bucket = self._buckets.get(key)
        if bucket is None:
            while len(self._buckets) >= self._limits.objects:
                self._buckets.popitem(last=False)
            bucket = self._buckets[key] = TokenBucket(
                per_s=1 / self._limits.refill_s, burst=self._limits.burst, now=now
            )
        self._buckets.move_to_end(key)
        return bucket.offer(now)

    async def _write(self, key: tuple[str, ...], writer: FencedWriter) -> None:
        told = self._told.get(key)
        if told is None or told.written == told.count:
            return
        count = told.count
        try:
            if not told.name or not await self._count_up(told, count, writer):
                await self._make(told, count, writer)
        except (InvalidError, ForbiddenError, NotFoundError) as error:  # no use to try again; the status says it too
            self.counts.inc(_Outcome.FAILED)
            _log.warning("event not written", object=told.happening.regarding.name, reason=str(error))
        except KubeError:
            self.counts.inc(_Outcome.FAILED)
            raise
        else:
            self.counts.inc(_Outcome.WRITTEN)
        told.written = count

    async def _make(self, told: _Told, count: int, writer: FencedWriter) -> None:
        name = _name(told.happening, told.at, self._instance)
        body = _render(told.happening, name, told.at, component=self._component, instance=self._instance)
        if count > 1:
            body["series"] = _series(count, told.at)
        await writer.create(EVENTS.collection(_namespace(told.happening)), msgspec.json.encode(body))
        told.name = name

    async def _count_up(self, told: _Told, count: int, writer: FencedWriter) -> bool:
        """Raise the count; False: the Event has expired meanwhile."""
        path = EVENTS.object(_namespace(told.happening), told.name)
        body = msgspec.json.encode({"series": _series(count, told.at)})
        try:
            await writer.patch(path, body, PatchKind.MERGE)
        except NotFoundError:
            told.name = ""
            return False
        return True


def _namespace(happening: Happening) -> str:
    return happening.regarding.namespace or _CLUSTER_SCOPED


def _name(happening: Happening, at: datetime, instance: str) -> str:
    """Unlike any other Event's: by its words, its maker and its instant."""
    words = "\0".join((*happening.identity, instance, at.isoformat()))
    return f"{happening.regarding.name[:200]}.{hashlib.sha256(words.encode()).hexdigest()[:16]}"


def _series(count: int, at: datetime) -> dict[str, Any]:
    return {"count": count, "lastObservedTime": _micro_time(at)}


def _render(happening: Happening, name: str, at: datetime, *, component: str, instance: str) -> dict[str, Any]:
    return {
        "apiVersion": EVENTS.api_version,
        "kind": "Event",
        "metadata": {"namespace": _namespace(happening), "name": name},
        "eventTime": _micro_time(at),
        "reportingController": component,
        "reportingInstance": instance[:128],
        "type": str(happening.type),
        "reason": happening.reason,
        "action": happening.action,
        "note": happening.note.encode()[:_NOTE_BYTES].decode(errors="ignore"),
        "regarding": msgspec.to_builtins(happening.regarding),
    }


def _micro_time(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
