"""Conditions on configuration objects, and Events about those that are refused: told by the leader.

Observations come from whoever reads the cluster, at every replica; they say "look again". An object's turn in the queue
compares its status with what it should be, and writes only if that differs: so a status write, which comes back as an
observation, leads to no other, and it changes nothing that proxies are served. While proxies are waited for the object
is looked at again, later and later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry

from discovery.controllers.status_plan import Observation, is_settled, plan_status
from discovery.kube.client import PatchKind
from discovery.kube.errors import ConflictError, InvalidError, NotFoundError
from discovery.kube.events import EventRecorder, EventType, Happening, ObjectReference
from discovery.kube.lease import Fence, NotLeadingError
from discovery.kube.resources import Resource
from discovery.kube.throttle import TokenBucket
from discovery.kube.timing import Timing
from discovery.kube.work_queue import WorkQueue
from discovery.kube.writer import FIELD_MANAGER, FencedWriter, WriteClient
from discovery.runtime.logs import get_logger
from discovery.runtime.metrics import PlainCounter
from discovery.schema.findings import Finding, Severity
from discovery.schema.kinds import GATEWAY_API, KINDS
from discovery.schema.meta import Kind, ObjectKey
from discovery.store.delivery import NOT_YET, Delivery, DeliveryOracle, RejectedResource

__all__ = ["StatusWriter"]

_SETTLE_S: Final = 0.3
_AGAIN_MAX_S: Final = 15.0
_WRITES_PER_S: Final = 20.0
_WRITES_BURST: Final = 50
_WORKERS: Final = 4
_WITHOUT: Final = frozenset({Kind.WORKLOAD_ENTRY}) | GATEWAY_API
"""Conditions of ours have no place there: the status of the one is health, written by who registers virtual machines
(there may be thousands); that of the others has a form of its own and belongs to their controller."""
_log = get_logger("status")


class _Known(msgspec.Struct, frozen=True):
    seen: Observation
    resource: Resource


class StatusWriter:
    """Takes observations at every replica, and writes where it leads: pass `lead` to the elector.

    Args:
        deliveries: how far objects have got.
        is_applied: whether the store has this generation of an object; until then deliveries speak of the one before.
        recorder: tells Events.
        settle_s: how long after a change its status is looked at, and first looked at again: acknowledgements come
            sooner, so it is one write instead of two.
    """

    def __init__(  # noqa: PLR0913 - wired by name in one place
        self,
        client: WriteClient,
        deliveries: DeliveryOracle,
        is_applied: Callable[[ObjectKey, int], bool],
        recorder: EventRecorder,
        *,
        timing: Timing = Timing(),  # noqa: B008 - immutable
        registry: CollectorRegistry | None = None,
        settle_s: float = _SETTLE_S,
    ) -> None:
        self._client = client
        self._settle_s = settle_s
        self._deliveries = deliveries
        self._is_applied = is_applied
        self._recorder = recorder
        self._timing = timing
        self._known: dict[ObjectKey, _Known] = {}
        self._queue: WorkQueue[ObjectKey] | None = None
        self._waits: dict[ObjectKey, float] = {}
        self._doubted: set[ObjectKey] = set()  # rejected after everybody had acknowledged them
        self._bucket = TokenBucket(per_s=_WRITES_PER_S, burst=_WRITES_BURST, now=timing.clock.monotonic())
        self.writes = PlainCounter("pilot_config_status_writes_total", "Conditions written.", registry=registry)

    def observed(self, key: ObjectKey, resource: Resource, seen: Observation | None) -> None:
        """An object is so now; None: it is gone. Quick, and never raises."""
        if seen is None:
            self._known.pop(key, None)
            self._waits.pop(key, None)
            self._doubted.discard(key)
            self._deliveries.forget(key)
            return
        before = self._known.get(key)
        self._known[key] = _Known(seen, resource)
        self._waits.pop(key, None)
        if self._queue is not None:
            self._queue.add(key, after_s=self._settle_s)
            if before is None or before.seen.findings != seen.findings:
                self._tell(key)

    def rejected(self, key: ObjectKey, what: RejectedResource) -> None:
        """A proxy rejected what was made of an object."""
        if self._queue is None or key not in self._known:
            return
        note = f"{what.proxy} rejected {what.type} {what.name}: {what.error}"
        self._recorder.record(self._happening(key, "RejectedByProxy", "Deliver", note))
        self._doubted.add(key)
        self._queue.add(key)

    def look(self, key: ObjectKey) -> None:
        """There may be news of an object's delivery."""
        if self._queue is not None and key in self._known:
            self._queue.add(key)

    async def lead(self, fence: Fence) -> None:
        """Write conditions and Events until cancelled.

        Raises:
            NotLeadingError: the term is over.
        """
        writer = FencedWriter(self._client, fence)
        queue = self._queue = WorkQueue("status", clock=self._timing.clock, sleep=self._timing.sleep)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._recorder.lead(writer, (NotLeadingError,)), name="events")
                await asyncio.sleep(0)  # the recorder takes happenings from now on
                for key in self._known:
                    queue.add(key, after_s=self._settle_s)
                    self._tell(key)
                for key, what in self._deliveries.rejected():  # nobody may have led when it happened
                    self.rejected(key, what)
                await queue.run(lambda key: self._reconcile(key, writer), workers=_WORKERS, fatal=(NotLeadingError,))
        except* NotLeadingError:
            raise NotLeadingError("the lease was lost") from None
        finally:
            self._queue = None
            self._waits.clear()
            self._doubted.clear()

    async def _reconcile(self, key: ObjectKey, writer: FencedWriter) -> None:
        known = self._known.get(key)
        if known is None or key.kind in _WITHOUT:
            return
        seen = known.seen
        delivery = self._delivery(key, seen)
        patch = plan_status(seen, delivery, now=self._timing.clock.now())
        if patch is not None:
            wait_s = self._bucket.take(self._timing.clock.monotonic())
            if wait_s:
                await self._timing.sleep(wait_s)
            await self._patch(key, known.resource, patch, writer)
        if delivery.done:
            self._waits.pop(key, None)
            self._doubted.discard(key)
        else:
            self._look_again(key)

    def _delivery(self, key: ObjectKey, seen: Observation) -> Delivery:
        if seen.refused or (is_settled(seen) and key not in self._doubted):
            return Delivery()
        if not self._is_applied(key, seen.state.generation):
            return NOT_YET
        return self._deliveries.of(key, seen.state.generation)

    def _look_again(self, key: ObjectKey) -> None:
        wait_s = self._waits.get(key, self._settle_s)
        self._waits[key] = min(_AGAIN_MAX_S, wait_s * 2)
        if self._queue is not None:
            self._queue.add(key, after_s=wait_s)

    async def _patch(self, key: ObjectKey, resource: Resource, patch: Mapping[str, Any], writer: FencedWriter) -> None:
        path = resource.object(key.namespace, key.name, "status")
        try:
            await writer.patch(path, msgspec.json.encode(patch), PatchKind.MERGE, {"fieldManager": FIELD_MANAGER})
        except (ConflictError, NotFoundError):
            return  # it changed or is gone: its observation comes, or has come
        except InvalidError as error:
            _log.warning("status refused by the API server", object=str(key), reason=str(error))
            return
        self.writes.inc()

    # -- Events ----------------------------------------------------------------------------------------------------

    def _tell(self, key: ObjectKey) -> None:
        for finding in self._known[key].seen.findings:
            if finding.severity is Severity.ERROR:
                self._recorder.record(self._happening(key, "InvalidConfiguration", "Validate", _note(finding)))

    def _happening(self, key: ObjectKey, reason: str, action: str, note: str) -> Happening:
        known = self._known[key]
        about = ObjectReference(
            api_version=known.resource.api_version,
            kind=KINDS[key.kind].name,
            namespace=key.namespace,
            name=key.name,
            uid=known.seen.state.uid,
            resource_version=known.seen.state.version,
        )
        return Happening(regarding=about, type=EventType.WARNING, reason=reason, action=action, note=note)


def _note(finding: Finding) -> str:
    hint = f" ({finding.hint})" if finding.hint else ""
    return f"{finding.path}: {finding.problem}{hint}" if finding.path else f"{finding.problem}{hint}"
