"""The mesh's root certificates in every namespace, where pods mount them: ConfigMap `istio-ca-root-cert`.

Level-triggered: whatever happens to a namespace, to its ConfigMap or to the roots puts the namespace's name into a
queue, and its turn compares what is there with what should be. So a map that was edited or deleted is made good, and
nothing is written where nothing is wrong.

Spec: pods mount it by name, see `istiod-ca-cert` in the injection template.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

import msgspec
from prometheus_client import CollectorRegistry

from discovery.kube.cache import Change
from discovery.kube.client import PatchKind
from discovery.kube.errors import ForbiddenError, NotFoundError
from discovery.kube.informer import Informer, Selection
from discovery.kube.lease import Fence, NotLeadingError
from discovery.kube.resources import CONFIG_MAPS
from discovery.kube.timing import Timing
from discovery.kube.work_queue import WorkQueue
from discovery.kube.writer import FIELD_MANAGER, FencedWriter, ReadWriteClient
from discovery.runtime.metrics import PlainCounter

__all__ = ["CONFIG_MAPS", "ROOT_KEY", "Namespaces", "RootDistribution", "render_root_map"]

ROOT_KEY: Final = "root-cert.pem"
_LABELS: Final = {"istio.io/config": "true"}
_IGNORED: Final = frozenset({"kube-public", "kube-node-lease", "local-path-storage"})
_WORKERS: Final = 8
_TERMINATING: Final = "being terminated"


class Namespaces(Protocol):
    """The namespaces of the mesh: those that `discoverySelectors` choose."""

    def names(self) -> Collection[str]:
        """All of them."""

    def subscribe(self, call: Callable[[Iterable[str]], None]) -> Callable[[], None]:
        """Have names told that came or went; the result ends that. The call must be quick."""


class _Meta(msgspec.Struct, frozen=True):
    labels: Mapping[str, str] | None = None


class _ConfigMap(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()
    data: Mapping[str, str] | None = None


class _State(msgspec.Struct, frozen=True):
    """A map as far as we care: thousands of equal texts are not kept."""

    digest: bytes
    labelled: bool


def _digest(root_pem: str) -> bytes:
    return hashlib.sha256(root_pem.encode()).digest()


def _decode(body: bytes) -> _State:
    found = msgspec.json.decode(body, type=_ConfigMap)
    labels = found.metadata.labels or {}
    labelled = all(labels.get(key) == value for key, value in _LABELS.items())
    return _State(_digest((found.data or {}).get(ROOT_KEY, "")), labelled)


def render_root_map(root_pem: str, *, namespace: str, name: str) -> bytes:
    """The ConfigMap as it is applied: only what is ours."""
    metadata = {"namespace": namespace, "name": name, "labels": _LABELS}
    return msgspec.json.encode(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {ROOT_KEY: root_pem}}
    )


class RootDistribution:
    """Keeps the maps right while this replica leads: pass `lead` to the elector.

    Args:
        namespaces: which are to have one.
        root_pem: the roots as they are now.
        name: of the ConfigMap (PILOT_CA_CERT_CONFIGMAP).
    """

    def __init__(
        self,
        client: ReadWriteClient,
        namespaces: Namespaces,
        root_pem: Callable[[], str],
        *,
        timing: Timing = Timing(),  # noqa: B008 - immutable
        name: str = "istio-ca-root-cert",
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._client = client
        self._namespaces = namespaces
        self._root_pem = root_pem
        self._timing = timing
        self._name = name
        self._queue: WorkQueue[str] | None = None
        self.writes = PlainCounter(
            "pilot_root_certificate_writes_total", "ConfigMaps with the mesh's roots written.", registry=registry
        )

    def roots_changed(self) -> None:
        """The roots are others now; to be called by who owns them."""
        self._look(self._namespaces.names())

    async def lead(self, fence: Fence) -> None:
        """Look after all namespaces until cancelled.

        Raises:
            NotLeadingError: the term is over.
        """
        informer = Informer(
            self._client,
            CONFIG_MAPS,
            _decode,
            self._timing,
            selection=Selection(fields=f"metadata.name={self._name}"),
        )
        writer = FencedWriter(self._client, fence)
        self._queue = WorkQueue("root certificates", clock=self._timing.clock, sleep=self._timing.sleep)
        informer.subscribe(self._on_maps)
        unsubscribe = self._namespaces.subscribe(self._look)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(informer.run(), name="root certificates: maps")
                await informer.synced.wait()
                self._look(self._namespaces.names())
                await self._queue.run(
                    lambda namespace: self._reconcile(namespace, informer, writer),
                    workers=_WORKERS,
                    fatal=(NotLeadingError,),
                )
        except* NotLeadingError:
            raise NotLeadingError("the lease was lost") from None
        finally:
            unsubscribe()
            self._queue = None

    def _on_maps(self, changes: Sequence[Change[_State]]) -> None:
        self._look(change.key.namespace for change in changes)

    def _look(self, namespaces: Iterable[str]) -> None:
        if self._queue is not None:
            for namespace in namespaces:
                if namespace not in _IGNORED:
                    self._queue.add(namespace)

    async def _reconcile(self, namespace: str, informer: Informer[_State], writer: FencedWriter) -> None:
        root_pem = self._root_pem()
        there = informer.get(namespace, self._name)
        if there == _State(_digest(root_pem), labelled=True) or namespace not in self._namespaces.names():
            return  # a map in a namespace that was deselected stays: pods there may still mount it
        path = CONFIG_MAPS.object(namespace, self._name)
        body = render_root_map(root_pem, namespace=namespace, name=self._name)
        try:
            await writer.patch(path, body, PatchKind.APPLY, {"fieldManager": FIELD_MANAGER, "force": "true"})
        except NotFoundError:
            return  # the namespace is gone; should it come back we are told
        except ForbiddenError as error:
            if _TERMINATING not in error.message:
                raise
            return
        self.writes.inc()
