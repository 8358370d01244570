"""Create, update and patch: from a body to a stored object, with everything the server adds, keeps and refuses.

Spec: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.kit.kube_api.completion import check_schema, completed
from tests.kit.kube_api.defaults import tracks_generation
from tests.kit.kube_api.errors import already_exists, bad_request, conflict, forbidden, internal, invalid, not_found
from tests.kit.kube_api.identity import check_name, generated_name, new_uid, placed
from tests.kit.kube_api.kinds import Kind
from tests.kit.kube_api.objects import Json, drop, key_of, meta, with_meta
from tests.kit.kube_api.ownership import record_update, unchanged
from tests.kit.kube_api.rules import check_rules
from tests.kit.kube_api.state import NAMESPACES, Admission, Change, State, WriteOptions

__all__ = ["Make", "Writer", "typed"]

Make = Callable[[Json], Json]
"""From the present object to the wanted one."""

_TRIES: Final = 5
_OMITTED_EMPTY: Final = ("annotations", "finalizers", "labels", "ownerReferences")
_KEPT: Final = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink")


class Writer:
    """Writes for clients. `admission` sees each write; `prepare` are the built-in admission steps of a kind."""

    def __init__(self, state: State, admission: Admission, prepare: Mapping[str, Callable[[Json], Json]]) -> None:
        self._state = state
        self._admission = admission
        self._prepare = prepare

    async def create(self, kind: Kind, namespace: str, body: Json, options: WriteOptions) -> Json:
        """The new object as stored.

        Raises:
            StatusError: 400, 403, 404, 409 or 422.
        """
        item = typed(kind, placed(kind, namespace, body))
        if meta(item).get("resourceVersion"):
            raise internal("resourceVersion should not be set on objects to be created")
        self._check_namespace(kind, namespace, meta(item).get("name", ""))
        item = with_meta(item, uid=new_uid(), creationTimestamp=self._state.now_text(), selfLink=None)
        item = with_meta(item, deletionTimestamp=None, deletionGracePeriodSeconds=None, generation=None)
        if kind.status:
            item = drop(item, "status")
        item = self._prepared(kind, item)
        change = Change(operation="CREATE", kind=kind, key=key_of(item), new=item, old=None, options=options)
        item = typed(kind, await self._admission.mutate(change) or item)
        if not meta(item).get("name") and meta(item).get("generateName"):
            item = with_meta(item, name=generated_name(meta(item)["generateName"]))
        item = completed(kind, item)
        check_name(kind, item)
        check_schema(kind, item)
        check_rules(kind, item, None)
        if kind.custom or tracks_generation(kind.kind):
            item = with_meta(item, generation=1)
        item = record_update(kind, None, item, options, self._state.now_text())
        change = Change(operation="CREATE", kind=kind, key=key_of(item), new=item, old=None, options=options)
        await self._admission.validate(change)
        if self._state.store.get(kind.resource, key_of(item)) is not None:
            raise already_exists(kind.plural, kind.group, meta(item)["name"])
        return item if options.dry_run else self._state.store.put(kind.resource, item)

    async def change(self, kind: Kind, namespace: str, name: str, make: Make, options: WriteOptions) -> Json:
        """Replace an object by what `make` makes of it. Tried again if somebody else was quicker, unless the new
        object says which version it was made from.

        Raises:
            StatusError: 400, 403, 404, 409 or 422.
        """
        for _ in range(_TRIES):
            old = self._state.store.get(kind.resource, (namespace, name))
            if old is None:
                raise not_found(kind.plural, kind.group, name)
            shown = typed(kind, old)
            item = self._changed(kind, shown, make(shown), options)
            change = Change(operation="UPDATE", kind=kind, key=(namespace, name), new=item, old=shown, options=options)
            item = typed(kind, await self._admission.mutate(change) or item)
            item = self._numbered(kind, shown, self._restored(kind, shown, completed(kind, item), options), options)
            check_schema(kind, item)
            check_rules(kind, item, shown)
            change = Change(operation="UPDATE", kind=kind, key=(namespace, name), new=item, old=shown, options=options)
            await self._admission.validate(change)
            if self._state.store.get(kind.resource, (namespace, name)) is old:
                return self._stored(kind, shown, item, options)
        raise conflict(kind.plural, kind.group, name)

    def _changed(self, kind: Kind, old: Json, new: Json, options: WriteOptions) -> Json:
        name, given = meta(old)["name"], meta(new)
        if given.get("name", name) != name:
            why = f"the name of the object ({given['name']}) does not match the name on the URL ({name})"
            raise bad_request(why)
        version = given.get("resourceVersion", "")
        if version and version != meta(old)["resourceVersion"]:
            raise conflict(kind.plural, kind.group, name)
        if given.get("uid") and given["uid"] != meta(old)["uid"]:
            why = f"Precondition failed: UID in precondition: {given['uid']}, UID in object meta: {meta(old)['uid']}"
            raise conflict(kind.plural, kind.group, name, why)
        if not version and kind.custom:
            why = "Invalid value: 0x0: must be specified for an update"
            raise invalid(kind.kind, kind.group, name, [("metadata.resourceVersion", "FieldValueInvalid", why)])
        item = typed(kind, placed(kind, meta(old).get("namespace", ""), with_meta(new, name=name)))
        return self._restored(kind, old, item, options)

    def _restored(self, kind: Kind, old: Json, new: Json, options: WriteOptions) -> Json:
        """With the fields that this write may not touch as they were."""
        kept = {field: meta(old).get(field) for field in _KEPT}
        if options.subresource == "status":
            item = {**drop(old, "status"), **({"status": new["status"]} if "status" in new else {})}
            changes = {} if kind.custom else {name: meta(new).get(name) for name in ("labels", "annotations")}
            return with_meta(item, managedFields=meta(new).get("managedFields"), **changes)
        item = with_meta(new, **kept)
        if kind.status and kind.kind != "CustomResourceDefinition":
            item = {**drop(item, "status"), **({"status": old["status"]} if "status" in old else {})}
        return item

    def _numbered(self, kind: Kind, old: Json, new: Json, options: WriteOptions) -> Json:
        if (kind.custom or tracks_generation(kind.kind)) and _specified(kind, old) != _specified(kind, new):
            new = with_meta(new, generation=meta(old).get("generation", 0) + 1)
        return record_update(kind, old, new, options, self._state.now_text())

    def _stored(self, kind: Kind, old: Json, new: Json, options: WriteOptions) -> Json:
        if unchanged(old, new):
            return old
        if options.dry_run:
            return with_meta(new, resourceVersion=meta(old)["resourceVersion"])
        if _is_finished(new):  # the last state is not written, as in the real server
            last = self._state.store.remove(kind.resource, key_of(new))
            return with_meta(new, resourceVersion=meta(last)["resourceVersion"])
        return self._state.store.put(kind.resource, new)

    def _prepared(self, kind: Kind, item: Json) -> Json:
        item = completed(kind, item)
        prepare = None if kind.custom else self._prepare.get(kind.kind)
        return prepare(item) if prepare else item

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        if not kind.namespaced:
            return
        found = self._state.store.get(NAMESPACES, ("", namespace))
        if found is None:
            raise not_found("namespaces", "", namespace)
        if meta(found).get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(kind.plural, kind.group, name, why)


def typed(kind: Kind, item: Json) -> Json:
    """The object with the words of this version.

    Raises:
        StatusError: 400, it says to be something else.
    """
    for field, wanted in (("kind", kind.kind), ("apiVersion", kind.api_version)):
        given = item.get(field)
        same_group = str(given).rpartition("/")[0] == kind.group if field == "apiVersion" else False
        if given and given != wanted and not same_group:
            shown = f"{item.get('apiVersion', '')}, Kind={item.get('kind', '')}"
            raise bad_request(f"the object provided is unrecognized: got {shown}, want {kind.api_version} {kind.kind}")
    empty = {field: None for field in _OMITTED_EMPTY if not meta(item).get(field)}
    return {"kind": kind.kind, "apiVersion": kind.api_version, **drop(with_meta(item, **empty), "kind", "apiVersion")}


def _is_finished(item: Json) -> bool:
    """Whether an object that is being deleted has nothing left to wait for."""
    metadata = meta(item)
    waits = metadata.get("finalizers") or ((item.get("spec") or {}).get("finalizers") and item["kind"] == "Namespace")
    return bool(metadata.get("deletionTimestamp")) and not waits and not metadata.get("deletionGracePeriodSeconds")


def _specified(kind: Kind, item: Json) -> Json:
    """What the generation counts: everything but metadata, and but status where that is apart."""
    return drop(item, "metadata", "apiVersion", "kind", *(("status",) if kind.status or not kind.custom else ()))
