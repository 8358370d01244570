"""A cluster as the source of configuration: watches what is this control plane's business, and nothing else.

First namespaces and CRDs, as they decide about the rest; then every kind at once. The first whole state is one
revision, later every turn of the event loop is one at most. Whatever the API server does, what was read last stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Final, Self

import msgspec

from discovery.kube.cache import Change
from discovery.kube.delta_queue import DeltaQueue
from discovery.kube.envelope import Meta, Name
from discovery.kube.informer import Informer, Selection
from discovery.kube.reflection import Reflection
from discovery.kube.reflector import Reader
from discovery.kube.resources import Resource
from discovery.kube.timing import Timing
from discovery.runtime.logs import get_logger
from discovery.schema.findings import Finding, Severity
from discovery.schema.mesh_config import LabelSelector
from discovery.schema.meta import Kind, ObjectKey, Origin
from discovery.sources.kubernetes_kinds import (
    CORE,
    DEFINITIONS,
    Definition,
    ResourceFilter,
    decode_definition,
    resources_of,
    unread,
)
from discovery.sources.kubernetes_metrics import ClusterMetrics, WatchState
from discovery.sources.kubernetes_objects import ClusterFindings, Served, change_of, decoder_of, last_good
from discovery.sources.kubernetes_scope import NamespaceEdit, Namespaces, is_of_revision
from discovery.sources.source import Apply
from discovery.store.state import ObjectChange

__all__ = ["KubernetesSettings", "KubernetesSource", "ServedListener"]

_DEFINITIONS_PER_PAGE: Final = 20  # CRDs are large: their schemas, of which nothing is kept
_STALE: Final = "what was read of them last keeps being served"


class KubernetesSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What of a cluster is read."""

    cluster_id: str = "Kubernetes"
    revision: str = ""
    watch_namespace: str = ""  # empty: all
    filter: ResourceFilter = ResourceFilter()
    configuration: bool = True  # False: configuration comes from elsewhere
    runtime: bool = True  # False: what runs is only what configuration says


ServedListener = Callable[[ObjectKey, Resource, Served | None], None]


class _Followed(msgspec.Struct, frozen=True):
    """A kind that is read."""

    informer: Informer[Served]
    task: asyncio.Task[None]


class KubernetesSource:
    """Keeps the store level with a cluster, from ``__aenter__`` on.

    Args:
        client: asks the API server.
        apply: ``Store.apply``.
        timing: time and chance.
        selectors: the mesh configuration's ``discoverySelectors``; ``reselect`` says that they may be different.
    """

    name = "cluster"

    def __init__(
        self,
        client: Reader,
        apply: Apply,
        timing: Timing,
        *,
        settings: KubernetesSettings = KubernetesSettings(),  # noqa: B008 - immutable
        selectors: Callable[[], Sequence[LabelSelector]] = tuple,
        metrics: ClusterMetrics | None = None,
    ) -> None:
        self.synced = asyncio.Event()
        self._client = client
        self._timing = timing
        self._settings = settings
        self._selectors = selectors
        self._origin = Origin(f"cluster {settings.cluster_id}")
        self._namespaces = Namespaces(selectors())
        self._definitions = Informer(
            client,
            DEFINITIONS,
            decode_definition,
            timing,
            reflection=Reflection(page=_DEFINITIONS_PER_PAGE, chance=timing.chance),
        )
        self._followed: dict[Kind, _Followed] = {}
        self._held: dict[Kind, dict[ObjectKey, ObjectChange]] = {}  # of kinds whose first state is not complete
        self._changes: DeltaQueue[ObjectKey, ObjectChange] = DeltaQueue(lambda batch: apply(tuple(batch.values())))
        self._findings = ClusterFindings()
        self._listeners: list[ServedListener] = []
        self._progress = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._metrics = metrics or ClusterMetrics()
        self._metrics.watch(self._watches)
        self._log = get_logger("kube")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with objects of the cluster now, and with reading them."""
        problems = [
            Finding("", "", f"{i.resource} cannot be read: {i.problem}", _STALE, Severity.WARNING, self._origin)
            for i in self._informers()
            if i.problem
        ]
        kinds = [kind for kind, followed in self._followed.items() if len(followed.informer)]
        return (*problems, *self._findings.all(kinds), *unread(found for _, found in self._definitions.list()))

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """Resources whose first state is not complete, with what is wrong if anything is."""
        waiting = (informer for informer in self._informers() if not informer.synced.is_set())
        return tuple(sorted(f"{i.resource} ({i.problem})" if i.problem else str(i.resource) for i in waiting))

    def listen(self, listener: ServedListener) -> None:
        """Have told, from now on, what becomes of objects whose status says what is made of them."""
        self._listeners.append(listener)

    def informer(self, kind: Kind) -> Informer[Served] | None:
        """What is read of a kind; None while it is not read."""
        followed = self._followed.get(kind)
        return followed.informer if followed is not None else None

    async def __aenter__(self) -> Self:
        """Begin to read; ``synced`` says when the first state is complete."""
        await self._group.__aenter__()
        self._spawn(self._start(), "cluster")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all requests."""
        for task in tuple(self._tasks):
            task.cancel()
        await self._group.__aexit__(kind, error, trace)

    async def run(self) -> None:
        """Wait for the end: changes are applied as they come."""
        await asyncio.Event().wait()

    def reselect(self) -> None:
        """The mesh configuration is different: perhaps it selects other namespaces."""
        self._edit(self._namespaces.select_by(self._selectors()))

    async def _start(self) -> None:
        self._follow(Kind.NAMESPACE, CORE[Kind.NAMESPACE])
        if self._settings.configuration:
            self._spawn(self._definitions.run(), self._definitions.name)
            await self._definitions.synced.wait()
        await self._followed[Kind.NAMESPACE].informer.synced.wait()
        for kind in CORE.keys() - {Kind.NAMESPACE} if self._settings.runtime else ():
            self._follow(kind, CORE[kind])
        self._definitions.subscribe(lambda _: self._replan())
        while any(not followed.informer.synced.is_set() for followed in self._followed.values()):
            self._progress.clear()
            await self._progress.wait()
        for kind in tuple(self._held):
            self._release(kind)
        self._changes.flush()
        self.synced.set()
        self._log.info("cluster read", objects=sum(len(f.informer) for f in self._followed.values()))

    def _informers(self) -> Iterable[Informer[Served] | Informer[Definition]]:
        definitions = (self._definitions,) if self._settings.configuration else ()
        return (*definitions, *(self._followed[kind].informer for kind in sorted(self._followed)))

    def _replan(self) -> None:
        """Read the kinds whose CRDs there are, and no others."""
        wanted = resources_of((found for _, found in self._definitions.list()), self._settings.filter)
        for kind in self._followed.keys() - CORE.keys() - wanted.keys():
            self._unfollow(kind)
        for kind, resource in wanted.items():
            followed = self._followed.get(kind)
            if followed is None:
                self._follow(kind, resource)
            elif followed.informer.resource != resource:  # another version is the best now: the objects are the same
                stale = self._unfollow(kind, keep=True)
                self._follow(kind, resource)
                self._held[kind].update(stale)

    def _follow(self, kind: Kind, resource: Resource) -> None:
        selection = Selection(namespace=self._settings.watch_namespace if resource.namespaced else "")
        informer = Informer(
            self._client,
            resource,
            decoder_of(kind, self._origin),
            self._timing,
            selection=selection,
            accepts=self._accepts_of(kind),
            settle=last_good,
        )
        informer.subscribe(lambda changes: self._heard(kind, changes))
        self._held[kind] = {}
        self._followed[kind] = _Followed(informer, self._spawn(self._read(kind, informer), informer.name))

    def _unfollow(self, kind: Kind, *, keep: bool = False) -> dict[ObjectKey, ObjectChange]:
        """Read a kind no more. Gives the removal of its objects, which is done unless they are to be kept for now."""
        followed = self._followed.pop(kind)
        followed.task.cancel()
        self._held.pop(kind, None)
        self._findings.forget(kind)
        self._progress.set()
        keys = [ObjectKey(kind, *name) for name, served in followed.informer.list() if served.object is not None]
        removals = {key: ObjectChange(key, None) for key in keys}
        self._tell(kind, [(name, None) for name, _ in followed.informer.list()], followed.informer.resource)
        if not keep:
            for key, change in removals.items():
                self._changes.put(key, change)
        return removals

    async def _read(self, kind: Kind, informer: Informer[Served]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(informer.run(), name=informer.name)
            await informer.synced.wait()
            self._progress.set()
            if self.synced.is_set():
                self._release(kind)

    def _release(self, kind: Kind) -> None:
        """The first state of a kind is complete. The first state of all may have been released in the same turn."""
        for key, change in self._held.pop(kind, {}).items():
            self._changes.put(key, change)

    def _accepts_of(self, kind: Kind) -> Callable[[Meta], bool]:
        if kind is Kind.NAMESPACE:
            return lambda _: True
        accepts, revision = self._namespaces.accepts, self._settings.revision
        if kind in CORE:  # a revision's label on a Pod says who injected it
            return lambda meta: accepts(meta.namespace)
        return lambda meta: accepts(meta.namespace) and is_of_revision(meta.labels, revision)

    def _watches(self) -> Iterator[WatchState]:
        for kind, followed in sorted(self._followed.items()):
            yield WatchState(kind, followed.informer.counts.failures, bool(followed.informer.problem))

    def _heard(self, kind: Kind, changes: Sequence[Change[Served]]) -> None:
        self._metrics.heard(kind, changes)
        for finding in self._findings.heard(kind, changes):
            self._log.warning("configuration problem", finding=str(finding))
        if kind not in CORE:
            self._tell(kind, [(change.key, change.new) for change in changes])
        for change in changes:
            made = change_of(kind, change)
            if made is not None:
                self._put(made)
                if kind is Kind.NAMESPACE:
                    self._namespace(made)

    def _tell(self, kind: Kind, news: Sequence[tuple[Name, Served | None]], resource: Resource | None = None) -> None:
        if resource is None and kind in self._followed:
            resource = self._followed[kind].informer.resource
        if resource is not None:
            for listener in self._listeners:
                for name, served in news:
                    listener(ObjectKey(kind, *name), resource, served)

    def _put(self, change: ObjectChange) -> None:
        held = self._held.get(change.key.kind)
        if held is not None:
            held[change.key] = change
        else:
            self._changes.put(change.key, change)

    def _namespace(self, change: ObjectChange) -> None:
        name = change.key.name
        if change.object is None:
            self._edit(self._namespaces.remove(name))
        else:
            self._edit(self._namespaces.put(name, change.object.meta.labels))
        if not self._namespaces.accepts(name):
            self._put(ObjectChange(change.key, None))

    def _edit(self, edit: NamespaceEdit) -> None:
        """Namespaces became ours, or ceased to be: as if their objects had just been made or deleted."""
        known = self._followed[Kind.NAMESPACE].informer if self._followed else None
        for name in edit.added | edit.removed:
            served = known.get("", name) if known is not None else None
            shown = served.object if served is not None and name in edit.added else None
            self._put(ObjectChange(ObjectKey(Kind.NAMESPACE, "", name), shown))
        for kind, followed in self._followed.items():
            if kind is Kind.NAMESPACE or not followed.informer.resource.namespaced:
                continue
            for name in edit.removed:
                followed.informer.exclude(name)
            watched = self._settings.watch_namespace
            followed.informer.include(edit.added & {watched} if watched else edit.added)

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
