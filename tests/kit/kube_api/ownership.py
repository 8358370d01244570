"""`managedFields` and server-side apply: who wrote which field, and whose it may become.

Spec: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tests.kit.kube_api.errors import apply_conflict
from tests.kit.kube_api.field_sets import Fields, decode_fields, encode_fields, leaves, removed, shown
from tests.kit.kube_api.kinds import Kind
from tests.kit.kube_api.list_shapes import Path, ShapeOf, item_key, shapes_of
from tests.kit.kube_api.objects import Json, copied, meta, with_meta
from tests.kit.kube_api.state import WriteOptions

__all__ = ["applied", "record_update", "unchanged"]

_ABSENT: Final = object()


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    manager: str
    operation: str
    api_version: str
    subresource: str
    fields: Fields
    time: str

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.manager, self.operation, self.subresource

    def to_json(self) -> Json:
        entry: Json = {"manager": self.manager, "operation": self.operation, "apiVersion": self.api_version}
        entry |= {"time": self.time, "fieldsType": "FieldsV1", "fieldsV1": encode_fields(self.fields)}
        return entry | ({"subresource": self.subresource} if self.subresource else {})


def _entries(item: Mapping[str, Any]) -> list[_Entry]:
    return [
        _Entry(
            manager=entry.get("manager", ""),
            operation=entry.get("operation", ""),
            api_version=entry.get("apiVersion", ""),
            subresource=entry.get("subresource", ""),
            fields=decode_fields(entry.get("fieldsV1") or {}),
            time=entry.get("time", ""),
        )
        for entry in meta(item).get("managedFields") or ()
    ]


def _with_entries(item: Json, entries: list[_Entry]) -> Json:
    kept = [entry.to_json() for entry in entries if entry.fields]
    return with_meta(item, managedFields=kept or None)


def unchanged(old: Json, new: Json) -> bool:
    """Whether a write of `new` would change nothing but times of ownership."""
    return _comparable(old) == _comparable(new)


def _comparable(item: Json) -> Json:
    owners = [{**entry, "time": ""} for entry in meta(item).get("managedFields") or ()]
    return with_meta(item, resourceVersion=None, managedFields=owners or None)


def record_update(kind: Kind, old: Json | None, new: Json, options: WriteOptions, now: str) -> Json:
    """The new object with its `managedFields`: what the writer changed is now its own and nobody else's.

    After an apply, which has settled its own fields already, what others (defaults, webhooks) changed is nobody's.
    """
    shape_of = shapes_of(kind)
    before = leaves(old, shape_of) if old is not None else {}
    after = leaves(new, shape_of)
    changed = {path for path, value in after.items() if before.get(path, _ABSENT) != value}
    lost = set(before) - set(after)
    source = new if options.applies else old
    entries = _entries(source) if source is not None else []
    if options.applies:
        return _with_entries(new, [_minus(entry, frozenset(lost)) for entry in entries])
    mine = (options.manager, "Update", options.subresource)
    if not changed and not lost:
        return _with_entries(new, entries)
    kept = [_minus(entry, frozenset(lost if entry.identity == mine else lost | changed)) for entry in entries]
    own = next((entry.fields for entry in kept if entry.identity == mine), frozenset())
    updated = _Entry(
        manager=options.manager,
        operation="Update",
        api_version=kind.api_version,
        subresource=options.subresource,
        fields=own | changed,
        time=now,
    )
    return _with_entries(new, [*(entry for entry in kept if entry.identity != mine), updated])


def _minus(entry: _Entry, fields: Fields) -> _Entry:
    return msgspec.structs.replace(entry, fields=entry.fields - fields)


def applied(kind: Kind, live: Json | None, wanted: Json, options: WriteOptions, now: str) -> Json:
    """The object after a server-side apply of `wanted`.

    Raises:
        StatusError: 409, others own fields that would change, and `force` is not set.
    """
    shape_of = shapes_of(kind)
    base = live if live is not None else {}
    values, present = leaves(wanted, shape_of), leaves(base, shape_of)
    entries = _entries(base)
    mine = (options.manager, "Apply", options.subresource)
    others = [entry for entry in entries if entry.identity != mine]
    differing = {path for path, value in values.items() if path in present and present[path] != value}
    contested = [(entry.manager, path) for entry in others for path in sorted(entry.fields & differing)]
    if contested and not options.force:
        raise apply_conflict([(manager, shown(path)) for manager, path in contested])
    others = [_minus(entry, frozenset(path for _, path in contested)) for entry in others]
    former = next((entry.fields for entry in entries if entry.identity == mine), frozenset())
    still_owned = frozenset(values).union(*(entry.fields for entry in others))
    merged = removed(_merged(copied(base), copied(wanted), (), shape_of), former - still_owned, still_owned)
    own = _Entry(
        manager=options.manager,
        operation="Apply",
        api_version=kind.api_version,
        subresource=options.subresource,
        fields=frozenset(values),
        time=now,
    )
    return _with_entries(
        with_meta(merged, resourceVersion=meta(wanted).get("resourceVersion") or meta(base).get("resourceVersion")),
        [*others, own],
    )


def _merged(base: Any, wanted: Any, path: Path, shape_of: ShapeOf) -> Any:
    if isinstance(base, dict) and isinstance(wanted, dict) and shape_of(path, wanted).granular:
        for name, value in wanted.items():
            base[name] = _merged(base[name], value, (*path, name), shape_of) if name in base else value
        return base
    if isinstance(base, list) and isinstance(wanted, list):
        return _merged_list(base, wanted, path, shape_of)
    return wanted


def _merged_list(base: list[Any], wanted: list[Any], path: Path, shape_of: ShapeOf) -> list[Any]:
    shape = shape_of(path, [*base, *wanted])
    if shape.is_set:
        return [*base, *(item for item in wanted if item not in base)]
    if not shape.keys:
        return wanted
    places = {item_key(shape, item): number for number, item in enumerate(base)}
    for item in wanted:
        place = places.get(item_key(shape, item))
        if place is None:
            base.append(item)
        else:
            base[place] = _merged(base[place], item, path, shape_of)
    return base
