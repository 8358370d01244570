"""Deleting: finalizers, grace, preconditions, and what goes with an object: its dependents, a namespace's content.

Spec: https://kubernetes.io/docs/concepts/architecture/garbage-collection/ and finalizers. The collector of the real
server is a controller that comes a little later; here it works at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.kit.kube_api.defaults import tracks_generation
from tests.kit.kube_api.errors import conflict, not_found
from tests.kit.kube_api.kinds import Kind, ResourceId
from tests.kit.kube_api.objects import Json, Key, key_of, meta, with_meta
from tests.kit.kube_api.selectors import Match
from tests.kit.kube_api.state import NAMESPACES, PODS, Admission, Change, State, WriteOptions
from tests.kit.kube_api.store import Event, EventType
from tests.kit.kube_api.writing import typed

__all__ = ["Deleter"]

_FOREGROUND: Final = "foregroundDeletion"
_RETURNED: Final = frozenset({"Pod", "Service", "ServiceAccount", "PersistentVolumeClaim", "PersistentVolume"})
"""Kinds whose delete answers with the object instead of a status."""
_GRACE_S: Final = 30


class Deleter:
    """Deletes for clients, and by itself what must go with it."""

    def __init__(self, state: State, admission: Admission) -> None:
        self._state = state
        self._admission = admission
        self._owned: dict[str, set[tuple[ResourceId, Key]]] = {}
        state.store.observe(self._on_event)

    async def delete(self, kind: Kind, namespace: str, name: str, options: WriteOptions) -> Json:
        """What the server answers: the object, if it lingers, else a status.

        Raises:
            StatusError: 403, 404 or 409.
        """
        item = self._present(kind, (namespace, name))
        change = Change(
            operation="DELETE", kind=kind, key=(namespace, name), new=None, old=typed(kind, item), options=options
        )
        await self._admission.validate(change)
        item = self._present(kind, (namespace, name))
        _check_preconditions(kind, item, options.body.get("preconditions"))
        if options.dry_run:
            return _success(kind, item)
        left = self._begin(kind.resource, item, options.body)
        if left is not None:
            return typed(kind, left)
        return typed(kind, item) if kind.kind in _RETURNED else _success(kind, item)

    async def delete_collection(self, kind: Kind, namespace: str, match: Match, options: WriteOptions) -> list[Json]:
        """The objects that were deleted, as they were."""
        chosen = [item for item in self._state.store.all(kind.resource).values() if match(item)]
        for item in sorted(chosen, key=key_of):
            await self.delete(kind, meta(item).get("namespace", ""), meta(item)["name"], options)
        return chosen

    def remove_all(self, resource: ResourceId, namespace: str | None = None) -> None:
        """Begin to delete all objects of a resource, or those of one namespace."""
        for (inside, _), item in sorted(self._state.store.all(resource).items()):
            if namespace in (None, inside):
                self._begin(resource, item, {"gracePeriodSeconds": 0} if resource != PODS else {})

    def _present(self, kind: Kind, key: Key) -> Json:
        item = self._state.store.get(kind.resource, key)
        if item is None:
            raise not_found(kind.plural, kind.group, key[1])
        return item

    def _begin(self, resource: ResourceId, item: Json, body: Mapping[str, Any]) -> Json | None:
        """Remove the object, or mark it as going; what is left of it."""
        policy = body.get("propagationPolicy") or ("Orphan" if body.get("orphanDependents") else "Background")
        finalizers = list(meta(item).get("finalizers") or [])
        dependents = self._dependents(meta(item)["uid"])
        if policy == "Orphan":
            for owned, dependent in dependents:
                self._disown(owned, dependent, meta(item)["uid"])
        if policy == "Foreground" and dependents and _FOREGROUND not in finalizers:
            finalizers.append(_FOREGROUND)
        grace_s = _grace(resource, item, body)
        if not finalizers and not grace_s and resource != NAMESPACES:
            self._state.store.remove(resource, key_of(item))
            return None
        left = self._mark(resource, item, finalizers, grace_s)
        if policy == "Foreground":
            for owned, dependent in dependents:
                self._begin(owned, dependent, {"propagationPolicy": "Foreground"})
        if resource == NAMESPACES:
            self._empty(meta(item)["name"])
        return self._state.store.get(resource, key_of(left))

    def _mark(self, resource: ResourceId, item: Json, finalizers: list[str], grace_s: int) -> Json:
        marked = meta(item).get("deletionTimestamp")
        if marked and (meta(item).get("deletionGracePeriodSeconds") or 0) <= grace_s:
            return item
        changes: Json = {"deletionTimestamp": marked or self._state.now_text(), "deletionGracePeriodSeconds": grace_s}
        if tracks_generation(item.get("kind", "")) or meta(item).get("generation"):
            changes["generation"] = meta(item).get("generation", 0) + 1
        item = with_meta(item, finalizers=finalizers or None, **changes)
        if resource == NAMESPACES:
            item = {**item, "status": {**(item.get("status") or {}), "phase": "Terminating"}}
        return self._state.store.put(resource, item)

    def _empty(self, namespace: str) -> None:
        for resource, _ in self._state.store.resources():
            kinds = self._state.kinds.of_resource(resource)
            if kinds and kinds[0].namespaced:
                self.remove_all(resource, namespace)
        self._finish_namespace(namespace)

    def _finish_namespace(self, namespace: str) -> None:
        """Let a namespace go once it is empty and nothing else holds it."""
        item = self._state.store.get(NAMESPACES, ("", namespace))
        if item is None or not meta(item).get("deletionTimestamp") or meta(item).get("finalizers"):
            return
        occupied = any(key[0] == namespace for _, objects in self._state.store.resources() for key in objects)
        if not occupied:
            self._state.store.remove(NAMESPACES, ("", namespace))

    def _dependents(self, uid: str) -> list[tuple[ResourceId, Json]]:
        found = [(resource, self._state.store.get(resource, key)) for resource, key in sorted(self._owned.get(uid, ()))]
        return [(resource, item) for resource, item in found if item is not None and uid in _owners(item)]

    def _disown(self, resource: ResourceId, item: Json, uid: str) -> None:
        owners = [owner for owner in meta(item)["ownerReferences"] if owner.get("uid") != uid]
        self._state.store.put(resource, with_meta(item, ownerReferences=owners or None))

    def _index(self, event: Event) -> None:
        entry = (event.resource, key_of(event.item))
        for uid in _owners(event.previous) if event.previous is not None else ():
            self._owned.get(uid, set()).discard(entry)
        for uid in _owners(event.item) if event.type is not EventType.DELETED else ():
            self._owned.setdefault(uid, set()).add(entry)

    def _on_event(self, event: Event) -> None:
        self._index(event)
        if event.type is not EventType.DELETED:
            if event.resource == NAMESPACES and meta(event.item).get("deletionTimestamp"):
                self._finish_namespace(meta(event.item)["name"])
            return
        uid = meta(event.item).get("uid", "")
        for resource, dependent in self._dependents(uid):
            self._lose_owner(resource, dependent, uid)
        if meta(event.item).get("namespace"):
            self._finish_namespace(meta(event.item)["namespace"])
        self._finish_foreground(event.item)

    def _lose_owner(self, resource: ResourceId, item: Json, uid: str) -> None:
        if self._state.store.get(resource, key_of(item)) is not item:
            return  # an earlier step took it along
        if len(meta(item)["ownerReferences"]) > 1:
            self._disown(resource, item, uid)
        elif not meta(item).get("deletionTimestamp"):
            self._begin(resource, item, {})

    def _finish_foreground(self, gone: Json) -> None:
        """An owner that waits for its dependents goes with the last of them."""
        owners = _owners(gone)
        if not owners:
            return
        for resource, objects in self._state.store.resources():
            for item in tuple(objects.values()):
                waiting = meta(item).get("finalizers") or ()
                if (
                    meta(item).get("uid") in owners
                    and _FOREGROUND in waiting
                    and not self._dependents(meta(item)["uid"])
                ):
                    rest = [name for name in waiting if name != _FOREGROUND]
                    kept = self._state.store.put(resource, with_meta(item, finalizers=rest or None))
                    if not rest:
                        self._state.store.remove(resource, key_of(kept))


def _owners(item: Json) -> frozenset[str]:
    return frozenset(owner.get("uid", "") for owner in meta(item).get("ownerReferences") or ())


def _grace(resource: ResourceId, item: Json, body: Mapping[str, Any]) -> int:
    """Seconds that a pod lingers: none if it is on no node or has ended, for then no kubelet has work with it."""
    if resource != PODS:
        return 0
    if not (item.get("spec") or {}).get("nodeName") or item["status"].get("phase") in ("Succeeded", "Failed"):
        return 0
    wanted = body.get("gracePeriodSeconds")
    if wanted is None:
        wanted = item["spec"].get("terminationGracePeriodSeconds", _GRACE_S)
    return int(wanted)


def _check_preconditions(kind: Kind, item: Json, wanted: object) -> None:
    if not isinstance(wanted, dict):
        return
    for field, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(field) and wanted[field] != meta(item)[field]:
            why = f"Precondition failed: {label} in precondition: {wanted[field]}, {label} in object meta: "
            raise conflict(kind.plural, kind.group, meta(item)["name"], why + str(meta(item)[field]))


def _success(kind: Kind, item: Json) -> Json:
    details = {"name": meta(item)["name"], "group": kind.group, "kind": kind.plural, "uid": meta(item)["uid"]}
    answer: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return {**answer, "details": {key: value for key, value in details.items() if value}}
