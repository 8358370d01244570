"""Functions on lists. They give new lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from discovery.inject.gotemplate.builtins import length
from discovery.inject.gotemplate.sprig.texts import nothing
from discovery.inject.gotemplate.values import kind_of, plain, show, truth

__all__ = ["LISTS"]


def _list(value: Any) -> list[Any]:
    if nothing(value):
        return []
    if not isinstance(value, list | tuple):
        raise ValueError(f"want a list, got {kind_of(value)}")
    return list(value)


def _has(value: Any, items: Any) -> bool:
    return any(plain(item) == plain(value) for item in _list(items))


def _uniq(items: Any) -> list[Any]:
    found: list[Any] = []
    for item in _list(items):
        if not _has(item, found):
            found.append(item)
    return found


def _slice(items: Any, *places: int) -> list[Any]:
    return _list(items)[slice(*(places if len(places) == 2 else (*places, None)))] if places else _list(items)


def _chunk(size: int, items: Any) -> list[list[Any]]:
    whole = _list(items)
    return [whole[place : place + size] for place in range(0, len(whole), size)]


def _join(separator: Any, items: Any) -> str:
    if not isinstance(items, list | tuple):
        return show(items)
    return show(separator).join(show(item) for item in items if not nothing(item))


LISTS: Final[Mapping[str, Callable[..., Any]]] = {
    "append": lambda items, item: [*_list(items), item],
    "chunk": _chunk,
    "compact": lambda items: [item for item in _list(items) if truth(item)],
    "concat": lambda *lists: [item for items in lists for item in _list(items)],
    "first": lambda items: next(iter(_list(items)), None),
    "has": _has,
    "initial": lambda items: _list(items)[:-1],
    "join": _join,
    "last": lambda items: _list(items)[-1] if length(items) else None,
    "list": lambda *items: list(items),
    "prepend": lambda items, item: [item, *_list(items)],
    "push": lambda items, item: [*_list(items), item],
    "rest": lambda items: _list(items)[1:],
    "reverse": lambda items: _list(items)[::-1],
    "slice": _slice,
    "sortAlpha": lambda items: sorted(show(item) for item in _list(items)),
    "toStrings": lambda items: [show(item) for item in _list(items)],
    "tuple": lambda *items: list(items),
    "uniq": _uniq,
    "without": lambda items, *gone: [item for item in _list(items) if not _has(item, list(gone))],
}
