"""A collection of an API server as a local store that tells of its changes.

Handlers get batches, in the event loop's turn, and must return at once: who has work to do puts a key into a
``WorkQueue``. Per object changes come in order, and never a version twice; between objects there is no order. After an
outage only what is different is told. Reading is from memory and never waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec

from discovery.kube.cache import Cache, Change
from discovery.kube.delta_queue import DeltaQueue
from discovery.kube.envelope import Event, EventType, Item, Meta, Name, read_page
from discovery.kube.errors import KubeError, NotFoundError
from discovery.kube.reflection import Reflection
from discovery.kube.reflector import Reader, Reflector, ReflectorCounts
from discovery.kube.resources import Resource
from discovery.kube.timing import Timing
from discovery.kube.work_queue import WorkQueue
from discovery.runtime.logs import get_logger

__all__ = ["Handler", "Informer", "Selection"]

_PAGE = 500
_ONE_BY_ONE = 4
_GATHER_S = 0.5
_ALL = ""  # in the place of a namespace's name

T = TypeVar("T")
Handler = Callable[[Sequence[Change[T]]], None]


class Selection(msgspec.Struct, frozen=True):
    """Which objects of a resource are asked for; empty: all. Selectors are written as kubectl takes them."""

    namespace: str = ""
    labels: str = ""
    fields: str = ""

    @property
    def query(self) -> Mapping[str, str]:
        """The selectors as parts of a request."""
        written = {"labelSelector": self.labels, "fieldSelector": self.fields}
        return {name: value for name, value in written.items() if value}


class Informer(Generic[T]):
    """Follows a resource while it runs.

    Args:
        client: asks the API server.
        resource: what to follow.
        decode: makes a value of an object's JSON; None: the object is not for us. It must copy what it keeps. If it
            raises, that is logged as our mistake and the last good value stays.
        accepts: by the metadata alone, whether an object is for us; it may change its mind together with
            ``include`` and ``exclude``.
        settle: of an object's old and new value, what to hold: for a last good version, say.
        resync_s: after how many seconds all objects are told again; 0: never.
    """

    def __init__(  # noqa: PLR0913 - each is a choice of its own
        self,
        client: Reader,
        resource: Resource,
        decode: Callable[[bytes], T | None],
        timing: Timing = Timing(),  # noqa: B008 - immutable
        *,
        selection: Selection = Selection(),  # noqa: B008 - immutable
        accepts: Callable[[Meta], bool] = lambda _: True,
        settle: Callable[[T, T], T] = lambda _, new: new,
        resync_s: float = 0.0,
        reflection: Reflection | None = None,
    ) -> None:
        self.name = f"informer of {resource}"
        self.resource = resource
        self.synced = asyncio.Event()  # once all objects there were at the start are here
        self._client = client
        self._selection = selection
        self._decode = decode
        self._cache: Cache[T] = Cache(self._decoded, accepts, settle)
        self._queue: DeltaQueue[Name, Event] = DeltaQueue(self._drain)
        self._namespaces: WorkQueue[str] = WorkQueue(
            self.name, clock=timing.clock, chance=timing.chance, sleep=timing.sleep
        )
        self._included: set[str] = set()
        self._handlers: dict[Handler[T], None] = {}
        self._resync_s = resync_s
        self._sleep = timing.sleep
        self._log = get_logger("kube")
        self._reflector = Reflector(
            client,
            resource.collection(selection.namespace),
            selection.query,
            self,
            clock=timing.clock,
            reflection=reflection or Reflection(chance=timing.chance),
            sleep=timing.sleep,
        )
        self._reflector.on_failure(self._failed)

    def __len__(self) -> int:
        return len(self._cache)

    @property
    def problem(self) -> str:
        """Why it does not hear of changes now; empty while it does."""
        return self._reflector.problem

    @property
    def counts(self) -> ReflectorCounts:
        """What it asked for."""
        return self._reflector.counts

    @property
    def decoded(self) -> int:
        """How many objects were decoded."""
        return self._cache.decoded

    @property
    def version(self) -> str:
        """The resourceVersion up to which everything is known; empty before."""
        return self._reflector.version

    def get(self, namespace: str, name: str) -> T | None:
        """One object; an empty namespace for cluster-scoped resources."""
        return self._cache.get(Name(namespace, name))

    def list(self, namespace: str | None = None) -> Iterator[tuple[Name, T]]:
        """All objects, or those of a namespace."""
        return self._cache.values(namespace)

    def subscribe(self, handler: Handler[T]) -> Callable[[], None]:
        """Have changes told, first all there is; the result ends that."""
        self._handlers[handler] = None
        known = [Change(key, None, value) for key, value in self._cache.values()]
        if known:
            handler(known)
        return lambda: self._handlers.pop(handler, None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held: connections live in ``run``."""

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reflector.run(), name=self.name)
            group.create_task(self._namespaces.run(self._read_namespace), name=f"{self.name}: namespaces")
            if self._resync_s > 0:
                group.create_task(self._resync(), name=f"{self.name}: resync")

    def include(self, namespaces: Collection[str]) -> None:
        """From now on ``accepts`` takes these namespaces' objects: read those that are there already.

        A few namespaces are read one by one; where they are many, one look at everything costs less. It waits a little,
        as those who label many namespaces do so one after the other.
        """
        self._included.update(namespaces)
        if len(self._namespaces) + len(namespaces) > _ONE_BY_ONE:
            self._namespaces.add(_ALL, after_s=_GATHER_S)
            return
        for namespace in namespaces:
            self._namespaces.add(namespace)

    def exclude(self, namespace: str) -> None:
        """``accepts`` takes this namespace's objects no more: forget them."""
        self._included.discard(namespace)
        self._queue.flush()
        self._tell(self._cache.drop_namespace(namespace))

    # What the reflector calls.

    def begin(self) -> None:
        """All objects follow."""
        self._queue.flush()
        self._cache.begin()

    def items(self, items: Sequence[Item]) -> None:
        """Some of all objects."""
        self._tell([change for item in items if (change := self._cache.put(item)) is not None])

    def end(self) -> None:
        """These were all."""
        self._queue.flush()
        self._tell(self._cache.end())
        self.synced.set()

    def event(self, event: Event) -> None:
        """A change after that; several of one object in a turn merge."""
        self._queue.put(event.item.meta.key, event)

    def _drain(self, events: Mapping[Name, Event]) -> None:
        changes = []
        for event in events.values():
            deleted = event.type is EventType.DELETED
            change = self._cache.remove(event.item.meta) if deleted else self._cache.put(event.item)
            if change is not None:
                changes.append(change)
        self._tell(changes)

    def _tell(self, changes: Sequence[Change[T]]) -> None:
        if changes:
            for handler in tuple(self._handlers):
                handler(changes)

    def _decoded(self, item: Item) -> T | None:
        try:
            return self._decode(item.raw)
        # A crash boundary: an object that we fail on must not end the watch of all others.
        except Exception as error:  # noqa: BLE001
            self._log.error("object not understood", resource=str(self.resource), object=item.meta.key, exc_info=error)
            return self._cache.get(item.meta.key)

    def _failed(self, error: KubeError) -> None:
        """A resource that is not served (any more) has no objects; it must not keep us from being ready."""
        if isinstance(error, NotFoundError) and not self.synced.is_set():
            self.begin()
            self.end()

    async def _read_namespace(self, namespace: str) -> None:
        """Read a namespace on its own; the queue tries again if that fails."""
        if namespace == _ALL:
            self._reflector.look_again()
            return
        if namespace not in self._included:
            return
        path = self.resource.collection(namespace)
        self._cache.begin_namespace(namespace)
        try:
            token = ""
            while True:
                query = {**self._selection.query, "limit": str(_PAGE)} | ({"continue": token} if token else {})
                page = read_page(f"LIST {path}", await self._client.get(path, query))
                if namespace not in self._included:
                    return
                self._tell([change for item in page.items if (change := self._cache.put_read(item)) is not None])
                token = page.more
                if not token:
                    return
        finally:
            self._cache.end_namespace(namespace)

    async def _resync(self) -> None:
        while True:
            await self._sleep(self._resync_s)
            self._tell([Change(key, value, value) for key, value in self._cache.values()])
