"""Kubernetes' strategic merge patch, for pods: lists are merged by a key, not replaced.

Which lists, and by which key, is part of the pod's API; the order of merged lists is that of kubectl: the patch's own
order, and what only the original has stays where it stood relative to what both have.

Spec: https://github.com/kubernetes/community/blob/main/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from discovery.inject.documents import Json
from discovery.inject.errors import PodError

__all__ = ["strategic_merge"]

_MERGE_KEYS: Final[Mapping[str, str]] = {
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "ports": "containerPort",
    "resourceClaims": "name",
    "schedulingGates": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
_SETS: Final = frozenset({"finalizers"})

_DIRECTIVE: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_DELETE_FROM: Final = "$deleteFromPrimitiveList/"
_ORDER: Final = "$setElementOrder/"


def strategic_merge(original: Mapping[str, Any], patch: Mapping[str, Any]) -> Json:
    """The original with the patch laid over it; both are left alone.

    Raises:
        PodError: an item of a merged list has no key, or a directive is unknown.
    """
    directive = patch.get(_DIRECTIVE)
    if directive == "delete":
        return {}
    if directive == "replace":
        return _without_directives(patch)
    if directive not in (None, "merge"):
        raise PodError(f"{_DIRECTIVE}: {directive!r} is unknown, want merge, replace or delete")
    retained = patch.get(_RETAIN)
    result = {key: value for key, value in original.items() if retained is None or key in retained}
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            _delete_from(result, key.removeprefix(_DELETE_FROM), value)
        elif value is None:
            result.pop(key, None)
        elif not key.startswith("$"):
            result[key] = _merged(key, result.get(key), value)
    return result


def _delete_from(result: Json, key: str, gone: list[Any]) -> None:
    if isinstance(result.get(key), list):
        result[key] = [item for item in result[key] if item not in gone]


def _merged(key: str, original: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        return strategic_merge(original if isinstance(original, Mapping) else {}, value)
    if not isinstance(value, list):
        return value
    before = original if isinstance(original, list) else []
    if key in _MERGE_KEYS:
        return _merge_lists(key, before, value)
    if key in _SETS:
        return [*value, *(item for item in before if item not in value)]
    return [_clean(item) for item in value]


def _clean(value: Any) -> Any:
    return strategic_merge({}, value) if isinstance(value, Mapping) else value


def _without_directives(patch: Mapping[str, Any]) -> Json:
    return {key: value for key, value in patch.items() if not key.startswith("$") and value is not None}


def _merge_lists(name: str, original: list[Any], patch: list[Any]) -> list[Any]:
    if any(item.get(_DIRECTIVE) == "replace" for item in patch if isinstance(item, Mapping)):
        return [_without_directives(item) for item in patch if item.get(_DIRECTIVE) != "replace" or len(item) > 1]
    key = _MERGE_KEYS[name]
    before = {_key_of(name, item): item for item in original}
    changed: dict[Any, Any] = {}
    for item in patch:
        own = _key_of(name, item)
        if item.get(_DIRECTIVE) == "delete":
            before.pop(own, None)
        else:
            changed[own] = strategic_merge(changed.get(own, before.get(own, {key: own})), item)
    return _ordered(before, changed)


def _key_of(name: str, item: Any) -> Any:
    key = _MERGE_KEYS[name]
    if not isinstance(item, Mapping) or item.get(key) is None:
        raise PodError(f"{name}: want objects with {key!r}, got {item!r}")
    return item[key]


def _ordered(before: Mapping[Any, Any], changed: Mapping[Any, Any]) -> list[Any]:
    """What only the original has is put before the first changed item that it stood before."""
    places = {key: place for place, key in enumerate(before)}
    kept = [key for key in before if key not in changed]
    result: list[Any] = []
    for key, item in changed.items():
        while kept and key in places and places[kept[0]] < places[key]:
            result.append(before[kept.pop(0)])
        result.append(item)
    return [*result, *(before[key] for key in kept)]
