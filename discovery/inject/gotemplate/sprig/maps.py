"""Functions on maps. Unlike Sprig's, ``set``, ``unset`` and ``merge`` leave what they were given alone if it is a
document of the pod's or of the configuration: those are shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from discovery.inject.gotemplate.sprig.texts import nothing
from discovery.inject.gotemplate.values import Record, StringMap, kind_of, plain, show, truth

__all__ = ["MAPS", "Dictionary", "as_map"]


class Dictionary(dict[str, Any]):
    """A map that a template made, so it may change it."""


def as_map(value: Any) -> Mapping[str, Any]:
    """The value as a map.

    Raises:
        ValueError: it is none.
    """
    if nothing(value):
        return {}
    found = value.document if isinstance(value, Record) else value
    if not isinstance(found, Mapping):
        raise ValueError(f"want a map, got {kind_of(value)}")
    return found


def _own(value: Any) -> Dictionary:
    return value if isinstance(value, Dictionary) else Dictionary(as_map(value))


def _dict(*pairs: Any) -> Dictionary:
    keys, values = pairs[::2], pairs[1::2]
    padded = (*values, "") if len(values) < len(keys) else values
    return Dictionary(zip(map(show, keys), padded, strict=True))


def _get(members: Any, key: Any) -> Any:
    return as_map(members).get(show(key), "")


def _set(members: Any, key: Any, value: Any) -> Dictionary:
    changed = _own(members)
    changed[show(key)] = value
    return changed


def _unset(members: Any, key: Any) -> Dictionary:
    changed = _own(members)
    changed.pop(show(key), None)
    return changed


def _keys(*maps: Any) -> list[str]:
    """In order, so that equal pods give equal texts; Sprig's order is chance."""
    return [key for members in maps for key in sorted(as_map(members))]


def _pick(members: Any, *keys: Any) -> Dictionary:
    found = as_map(members)
    return Dictionary({key: found[key] for key in map(show, keys) if key in found})


def _omit(members: Any, *keys: Any) -> Dictionary:
    gone = set(map(show, keys))
    return Dictionary({key: value for key, value in as_map(members).items() if key not in gone})


def _merged(into: Mapping[str, Any], other: Mapping[str, Any], *, overwrite: bool) -> Dictionary:
    result = Dictionary(into)
    for key, value in other.items():
        known = result.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            result[key] = _merged(known, value, overwrite=overwrite)
        elif key not in result or (overwrite and truth(value)) or (not overwrite and not truth(known)):
            result[key] = value
    return result


def _merge(*maps: Any, overwrite: bool = False) -> Dictionary:
    first, *others = maps
    result: Mapping[str, Any] = as_map(first)
    for other in others:
        result = _merged(result, as_map(other), overwrite=overwrite)
    if isinstance(first, Dictionary):
        first.update(result)
        return first
    return Dictionary(result)


def _dig(*arguments: Any) -> Any:
    """The member below the given keys, or the default before the last argument, which is the map."""
    *keys, default, members = arguments
    value: Any = members
    for key in keys:
        found = value.document if isinstance(value, Record) else value
        if not isinstance(found, Mapping) or show(key) not in found:
            return default
        value = found[show(key)]
    return value


def _strings(*pairs: Any) -> StringMap:
    """``strdict``: a map of texts."""
    if len(pairs) % 2:
        raise ValueError("want keys and values in pairs")
    return StringMap({show(key): show(value) for key, value in zip(pairs[::2], pairs[1::2], strict=True)})


MAPS: Final[Mapping[str, Callable[..., Any]]] = {
    "deepCopy": lambda value: Dictionary(plain(value)) if isinstance(plain(value), dict) else plain(value),
    "dict": _dict,
    "dig": _dig,
    "get": _get,
    "hasKey": lambda members, key: show(key) in as_map(members),
    "keys": _keys,
    "merge": _merge,
    "mergeOverwrite": lambda *maps: _merge(*maps, overwrite=True),
    "omit": _omit,
    "pick": _pick,
    "pluck": lambda key, *maps: [as_map(found)[show(key)] for found in maps if show(key) in as_map(found)],
    "set": _set,
    "strdict": _strings,
    "unset": _unset,
    "values": lambda members: [as_map(members)[key] for key in sorted(as_map(members))],
}
