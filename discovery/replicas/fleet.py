"""The asking side: at the leader, deliveries of all replicas as if they were one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import grpc
import grpc.aio

from certs.errors import CertsError
from discovery.kube.cache import Change
from discovery.kube.informer import Informer
from discovery.kube.lease import Fence
from discovery.kube.timing import Timing
from discovery.replicas.messages import METHOD, SERVICE, MessageError, Rejected, Told, decode_answers, encode, key_of
from discovery.replicas.pods import ReplicaPod
from discovery.replicas.view import ReplicaView
from discovery.runtime.backoff import backoff_delays
from discovery.runtime.logs import get_logger
from discovery.schema.meta import ObjectKey
from discovery.store.delivery import NOT_YET, Delivery, DeliveryOracle, RejectedResource

__all__ = ["Fleet"]

_CONNECT_S: Final = 10.0
_AGAIN_S: Final = 0.2
_AGAIN_MAX_S: Final = 15.0
_FAILURES: Final = (grpc.aio.AioRpcError, asyncio.InvalidStateError, CertsError, MessageError, TimeoutError)
"""How a stream ends; the second is gRPC's word for writing to one that has."""
_log = get_logger("replicas")


class _Replica:
    """One of the others, and the stream to it."""

    def __init__(self, pod: ReplicaPod) -> None:
        self.pod = pod
        self.view = ReplicaView()
        self.wake = asyncio.Event()  # there are questions
        self.heard = False  # a stream to it is open
        self.problem = ""  # why it was not, the last time that was tried
        self.task: asyncio.Task[None] | None = None

    @property
    def counts(self) -> bool:
        """Whether it serves proxies. One that never got ready and does not answer has none."""
        return self.pod.ready or self.heard

    def of(self, key: ObjectKey, generation: int) -> Delivery:
        said = self.view.of(key, generation)
        self.wake.set()
        if self.heard or not self.problem:
            return said
        return Delivery(unheard=(f"{self.pod.name}: {self.problem}",))


class Fleet:
    """How far objects have got with the proxies of all replicas. Pass `lead` to the elector.

    Args:
        own: how far they have got with our own.
        pods: makes what follows the pods of this control plane.
        dial: makes a channel to the replica at an address.
        name: of our own pod.
    """

    def __init__(
        self,
        own: DeliveryOracle,
        pods: Callable[[], Informer[ReplicaPod]],
        dial: Callable[[str], grpc.aio.Channel],
        name: str,
        *,
        timing: Timing = Timing(),  # noqa: B008 - immutable
    ) -> None:
        self._own = own
        self._pods = pods
        self._dial = dial
        self._name = name
        self._timing = timing
        self._replicas: dict[str, _Replica] = {}
        self._known = False  # who there is
        self._asked: dict[ObjectKey, None] = {}  # while that is not known
        self._on_news: Callable[[ObjectKey], None] = lambda _: None
        self._on_rejection: Callable[[ObjectKey, RejectedResource], None] = lambda _, __: None

    def subscribe(
        self, news: Callable[[ObjectKey], None], rejection: Callable[[ObjectKey, RejectedResource], None]
    ) -> None:
        """Have told of which objects there is something new to ask, and which a proxy elsewhere rejected."""
        self._on_news = news
        self._on_rejection = rejection

    @property
    def others(self) -> tuple[str, ...]:
        """The pods whose proxies count, beside our own."""
        return tuple(replica.pod.name for replica in self._replicas.values() if replica.counts)

    # -- what is asked ---------------------------------------------------------------------------------------------

    def of(self, key: ObjectKey, mark: int) -> Delivery:
        """How far a generation of an object has got everywhere."""
        own = self._own.of(key, mark)
        if not self._known:
            self._asked[key] = None
            return _all_of(own, [NOT_YET])
        counting = [replica for replica in self._replicas.values() if replica.counts]
        found = _all_of(own, [replica.of(key, mark) for replica in counting])
        if found.done:
            for replica in self._replicas.values():
                replica.view.drop(key)
        return found

    def forget(self, key: ObjectKey) -> None:
        """The object is gone."""
        self._own.forget(key)
        self._asked.pop(key, None)
        for replica in self._replicas.values():
            replica.view.forget(key)
            replica.wake.set()

    def rejected(self) -> Iterable[tuple[ObjectKey, RejectedResource]]:
        """Those of our own proxies; the others' are told when they are heard."""
        return self._own.rejected()

    # -- who is asked ----------------------------------------------------------------------------------------------

    async def lead(self, _fence: Fence) -> None:
        """Keep a stream to every other replica until cancelled. Nothing is written, so no fence is asked."""
        informer = self._pods()
        try:
            async with asyncio.TaskGroup() as group:
                informer.subscribe(lambda changes: self._see(changes, group))
                group.create_task(informer.run(), name=informer.name)
                await informer.synced.wait()
                self._known = True
                asked, self._asked = self._asked, {}
                self._tell(asked)
        finally:
            self._known = False
            self._replicas.clear()
            self._asked.clear()

    def _see(self, changes: Sequence[Change[ReplicaPod]], group: asyncio.TaskGroup) -> None:
        for change in changes:
            name, pod = change.key.name, change.new
            if name == self._name:
                continue
            replica = self._replicas.get(name)
            if replica is not None and (pod is None or pod.address != replica.pod.address):
                self._lose(name, replica)
                replica = None
            if pod is None:
                continue
            if replica is None:
                replica = self._replicas[name] = _Replica(pod)
                replica.task = group.create_task(self._keep(replica), name=f"replica {name}")
            replica.pod = pod
            self._tell(replica.view.keys)

    def _lose(self, name: str, replica: _Replica) -> None:
        del self._replicas[name]
        if replica.task is not None:
            replica.task.cancel()
        self._tell(replica.view.keys)

    async def _keep(self, replica: _Replica) -> None:
        """Keep a stream to it; each failure is said once."""
        delays = backoff_delays(first_s=_AGAIN_S, max_s=_AGAIN_MAX_S, chance=self._timing.chance)
        while True:
            problem = ""
            try:
                await self._talk(replica)
            except* _FAILURES as failed:
                problem = _reason(failed)
            _end_if_cancelled()
            if replica.heard:
                problem = ""  # the stream ended; whether the replica is gone the next try will tell
                delays = backoff_delays(first_s=_AGAIN_S, max_s=_AGAIN_MAX_S, chance=self._timing.chance)
            if problem and problem != replica.problem:
                _log.warning("replica cannot be asked", replica=replica.pod.name, reason=problem)
            replica.heard, replica.problem = False, problem
            self._tell(replica.view.keys)
            await self._timing.sleep(next(delays))

    async def _talk(self, replica: _Replica) -> None:
        channel = self._dial(replica.pod.address)
        try:
            call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(
                f"/{SERVICE}/{METHOD}", request_serializer=None, response_deserializer=None
            )(None)
            async with asyncio.timeout(_CONNECT_S):
                if not isinstance(await call.read(), bytes):  # it begins with an empty message
                    return
            replica.heard, replica.problem = True, ""
            _log.info("replica answers", replica=replica.pod.name)
            replica.view.begin()
            replica.wake.set()
            async with asyncio.TaskGroup() as group:
                asking = group.create_task(self._ask(replica, call))
                await self._listen(replica, call)
                asking.cancel()
        finally:
            await channel.close(None)

    async def _ask(self, replica: _Replica, call: grpc.aio.StreamStreamCall[bytes, bytes]) -> None:
        while True:
            await replica.wake.wait()
            replica.wake.clear()
            questions = replica.view.questions()
            if questions:
                await call.write(encode(questions))

    async def _listen(self, replica: _Replica, call: grpc.aio.StreamStreamCall[bytes, bytes]) -> None:
        while isinstance(data := await call.read(), bytes):
            answers = decode_answers(data)
            self._tell(replica.view.take(a for a in answers if isinstance(a, Told)))
            for answer in answers:
                key = key_of(answer.about)
                if isinstance(answer, Rejected) and key is not None:
                    self._on_rejection(key, answer.resource)

    def _tell(self, keys: Iterable[ObjectKey]) -> None:
        for key in keys:
            self._on_news(key)


def _end_if_cancelled() -> None:
    """gRPC answers a cancellation by the status of a call that ended at the same moment; so it would be lost."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _all_of(own: Delivery, others: Iterable[Delivery]) -> Delivery:
    deliveries = (own, *others)
    return Delivery(
        waiting=sum(one.waiting for one in deliveries),
        rejected=tuple(rejected for one in deliveries for rejected in one.rejected),
        unheard=tuple(name for one in deliveries for name in one.unheard),
    )


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return f"no connection within {_CONNECT_S:.0f} s"
    if isinstance(error, grpc.aio.AioRpcError):
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            return "it is of a release that does not tell of its proxies"
        return f"{error.code().name}: {error.details()}"
    return str(error)
