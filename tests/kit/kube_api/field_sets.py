"""Sets of fields as `managedFields` writes them (FieldsV1), and the values that an object has at them.

A member is a path of FieldsV1 elements: `f:name` for a field, `k:{...}` for an item of a keyed list, `v:...` for a
member of a set. An item of a keyed list is a member itself (written `.`), besides its fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from tests.kit.kube_api.list_shapes import Path, Shape, ShapeOf, item_key
from tests.kit.kube_api.objects import Json

__all__ = ["Fields", "decode_fields", "encode_fields", "leaves", "removed", "shown"]

Fields: TypeAlias = frozenset[tuple[str, ...]]
_ITEM: Final = "."
_SYSTEM: Final = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"}
    | {"deletionTimestamp", "deletionGracePeriodSeconds", "generateName"}
)


def leaves(item: Mapping[str, Any], shape_of: ShapeOf) -> dict[tuple[str, ...], Any]:
    """All fields that can be owned, with their values; an item of a keyed list counts as such with the value None."""
    owned = {name: value for name, value in item.items() if name not in ("apiVersion", "kind", "metadata")}
    metadata = {name: value for name, value in (item.get("metadata") or {}).items() if name not in _SYSTEM}
    if metadata:
        owned["metadata"] = metadata
    return dict(_walk(owned, (), (), shape_of)) if owned else {}


def _walk(value: Any, at: tuple[str, ...], path: Path, shape_of: ShapeOf) -> Iterator[tuple[tuple[str, ...], Any]]:
    shape = shape_of(path, value) if isinstance(value, dict | list) else None
    if isinstance(value, dict) and value and shape is not None and shape.granular:
        for name, inner in value.items():
            yield from _walk(inner, (*at, f"f:{name}"), (*path, name), shape_of)
    elif isinstance(value, list) and value and shape is not None and shape.keys:
        yield from _walk_items(value, at, path, shape, shape_of)
    elif isinstance(value, list) and value and shape is not None and shape.is_set:
        for inner in value:
            yield (*at, f"v:{_text(inner)}"), inner
    else:
        yield at, value


def _walk_items(
    items: list[Any], at: tuple[str, ...], path: Path, shape: Shape, shape_of: ShapeOf
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for item in items:
        here = (*at, f"k:{_text(dict(item_key(shape, item)))}")
        yield here, None
        for name, inner in item.items():
            yield from _walk(inner, (*here, f"f:{name}"), (*path, name), shape_of)


def _text(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def encode_fields(fields: Fields) -> Json:
    """As FieldsV1."""
    tree: Json = {}
    for path in sorted(fields):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        if path[-1].startswith("k:"):
            node[_ITEM] = {}
    return tree


def decode_fields(tree: Mapping[str, Any], at: tuple[str, ...] = ()) -> Fields:
    """From FieldsV1."""
    members: set[tuple[str, ...]] = set()
    for element, inner in tree.items():
        if element == _ITEM:
            members.add(at)
        elif inner:
            members |= decode_fields(inner, (*at, element))
        else:
            members.add((*at, element))
    return frozenset(members)


def removed(item: Json, fields: Fields, kept: Fields) -> Json:
    """The object without some fields; changes the object given. Maps and lists that become empty go too.

    An item of a keyed list goes as a whole, unless some field in it is to be kept.
    """
    gone: set[tuple[str, ...]] = set()
    for path in sorted(fields, key=len):
        below = any(path[:length] in gone for length in range(1, len(path)))
        holds = path[-1].startswith("k:") and any(other[: len(path)] == path for other in kept)
        if not below and not holds and not _is_key(path):
            _remove(item, path)
            gone.add(path)
    return item


def _is_key(path: tuple[str, ...]) -> bool:
    """Whether the field identifies the item that it is in: it goes with the item only."""
    if len(path) < 2 or not path[-2].startswith("k:"):
        return False
    return path[-1][2:] in msgspec.json.decode(path[-2][2:], type=dict[str, Any])


def _remove(container: Any, path: tuple[str, ...]) -> None:
    element, rest = path[0], path[1:]
    inner = _inner(container, element)
    if inner is None:
        return
    if rest:
        _remove(inner, rest)
        if inner or element.startswith("k:"):
            return
    if isinstance(container, dict):
        container.pop(element[2:], None)
    else:
        container.remove(inner)


def _inner(container: Any, element: str) -> Any:
    if element.startswith("f:"):
        return container.get(element[2:]) if isinstance(container, dict) else None
    if not isinstance(container, list):
        return None
    wanted = msgspec.json.decode(element[2:])
    if element.startswith("v:"):
        return wanted if wanted in container else None
    return next((item for item in container if _has(item, wanted)), None)


def _has(item: Any, keys: Mapping[str, Any]) -> bool:
    return isinstance(item, dict) and all(
        item.get(name, value if name == "protocol" else None) == value for name, value in keys.items()
    )


def shown(path: tuple[str, ...]) -> str:
    """As conflicts name it: `.spec.containers[name="app"].image`."""
    parts = []
    for element in path:
        if element.startswith("f:"):
            parts.append(f".{element[2:]}")
        elif element.startswith("k:"):
            keys = msgspec.json.decode(element[2:], type=dict[str, Any])
            parts.append("[" + ",".join(f"{name}={_text(value)}" for name, value in keys.items()) + "]")
        else:
            parts.append(f"[={element[2:]}]")
    return "".join(parts)
