"""Strategic merge patch: a merge patch that knows which lists are keyed, and understands directives.

Spec: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.kit.kube_api.list_shapes import Path, strategic_key
from tests.kit.kube_api.objects import Json

__all__ = ["strategic_merge"]

_DIRECTIVE: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_DELETE_PRIMITIVES: Final = "$deleteFromPrimitiveList/"
_ORDER: Final = "$setElementOrder/"
_PRIMITIVE_SETS: Final = frozenset({"finalizers"})


def strategic_merge(kind: str, target: Mapping[str, Any], patch: Mapping[str, Any]) -> Json:
    """The object after the patch."""
    return _merge_map(kind, (), target, patch)


def _merge_map(kind: str, path: Path, target: Mapping[str, Any], patch: Mapping[str, Any]) -> Json:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != _DIRECTIVE}
    if directive == "delete":
        return {}
    merged: Json = dict(target)
    if _RETAIN in patch:
        merged = {name: value for name, value in merged.items() if name in patch[_RETAIN]}
    for name, value in patch.items():
        if name.startswith(_DELETE_PRIMITIVES):
            field = name.removeprefix(_DELETE_PRIMITIVES)
            merged[field] = [item for item in merged.get(field) or [] if item not in value]
        elif not name.startswith("$"):
            _merge_field(kind, (*path, name), merged, value)
    for name, order in patch.items():
        if name.startswith(_ORDER):
            field = name.removeprefix(_ORDER)
            if isinstance(merged.get(field), list):
                merged[field] = _ordered(kind, (*path, field), merged[field], order)
    return merged


def _merge_field(kind: str, path: Path, merged: Json, value: Any) -> None:
    name = path[-1]
    if value is None:
        merged.pop(name, None)
    elif isinstance(value, dict):
        before = merged.get(name)
        merged[name] = _merge_map(kind, path, before if isinstance(before, dict) else {}, value)
    elif isinstance(value, list):
        merged[name] = _merge_list(kind, path, merged.get(name) or [], value)
    else:
        merged[name] = value


def _merge_list(kind: str, path: Path, target: list[Any], patch: list[Any]) -> list[Any]:
    if path[-1] in _PRIMITIVE_SETS:
        return [*target, *(item for item in patch if item not in target)]
    key = strategic_key(kind, path, [*target, *patch])
    directives = [item for item in patch if isinstance(item, dict) and item.get(_DIRECTIVE) == "replace"]
    if not key or directives:
        return [item for item in patch if item not in directives]
    merged = list(target)
    for item in patch:
        index = next((number for number, old in enumerate(merged) if old.get(key) == item.get(key)), None)
        if item.get(_DIRECTIVE) == "delete":
            if index is not None:
                merged.pop(index)
        elif index is None:
            merged.append(_merge_map(kind, path, {}, item))
        else:
            merged[index] = _merge_map(kind, path, merged[index], item)
    return merged


def _ordered(kind: str, path: Path, items: list[Any], order: list[Any]) -> list[Any]:
    """The items in the order of the patch; those it does not name keep their place relative to what precedes them."""
    key = strategic_key(kind, path, [item for item in [*items, *order] if isinstance(item, dict)])
    wanted = [entry[key] if key and isinstance(entry, dict) else entry for entry in order]

    def identity(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    named = sorted((item for item in items if identity(item) in wanted), key=lambda item: wanted.index(identity(item)))
    replacement = iter(named)
    return [next(replacement) if identity(item) in wanted else item for item in items]
