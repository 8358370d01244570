"""The functions that every Go template has, but ``and`` and ``or``, which do not look at all of their arguments.

Spec: https://pkg.go.dev/text/template#hdr-Functions
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote_plus

from discovery.inject.gotemplate.printf import sprintf
from discovery.inject.gotemplate.values import NO_VALUE, Absent, Record, StringMap, field, kind_of, plain, show, truth

__all__ = ["BUILTINS", "equal", "index", "length"]


def length(value: Any) -> int:
    """``len``."""
    if isinstance(value, Absent) or value is None:
        return 0
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Record):
        return len(value.document)
    if isinstance(value, Mapping | list | tuple):
        return len(value)
    raise ValueError(f"{kind_of(value)} has no length")


def index(value: Any, *keys: Any) -> Any:
    """``index``: keys and places, from the outside in."""
    for key in keys:
        value = _indexed(value, key)
    return value


def _indexed(value: Any, key: Any) -> Any:
    if isinstance(value, Absent) or value is None:
        return NO_VALUE if value is None else value
    if isinstance(value, Record):
        return field(value, show(key))
    if isinstance(value, Mapping):
        return value.get(plain(key), "" if isinstance(value, StringMap) else NO_VALUE)
    if isinstance(value, list | tuple | str):
        place = _place(key, len(value))
        return ord(value[place]) if isinstance(value, str) else value[place]
    raise ValueError(f"{kind_of(value)} cannot be indexed")


def _place(key: Any, size: int) -> int:
    if isinstance(key, bool) or not isinstance(key, int):
        raise ValueError(f"want a number as place in a list, got {show(key)!r}")
    if not 0 <= key < size:
        raise ValueError(f"place {key} is outside of a list of {size}")
    return key


def _slice(value: Any, *places: Any) -> Any:
    if not isinstance(value, list | tuple | str):
        raise ValueError(f"{kind_of(value)} cannot be sliced")
    if len(places) > 2 or not all(isinstance(place, int) and 0 <= place <= len(value) for place in places):
        raise ValueError(f"want at most two places from 0 to {len(value)}, got {', '.join(map(show, places))}")
    return value[slice(*(places if len(places) == 2 else (*places, None)))] if places else value


def equal(left: Any, right: Any) -> bool:
    """Whether two basic values are equal; values of different kinds cannot be compared.

    Raises:
        ValueError: the kinds differ.
    """
    if isinstance(left, Absent) or isinstance(right, Absent) or left is None or right is None:
        return _is_zero(left) and _is_zero(right) if _unset(left, right) else _is_nil(left) and _is_nil(right)
    if kind_of(left) != kind_of(right):
        raise ValueError(f"{kind_of(left)} {show(left)!r} cannot be compared to {kind_of(right)} {show(right)!r}")
    return bool(plain(left) == plain(right))


def _unset(left: Any, right: Any) -> bool:
    """A struct's field that was not written is the zero of the other's type."""
    return any(isinstance(value, Absent) and value is not NO_VALUE for value in (left, right))


def _is_nil(value: Any) -> bool:
    return value is None or isinstance(value, Absent)


def _is_zero(value: Any) -> bool:
    return _is_nil(value) or (isinstance(value, str | int | float) and not value)


def _eq(first: Any, *others: Any) -> bool:
    if not others:
        raise ValueError("want at least two values")
    return any(equal(first, other) for other in others)


def _less(left: Any, right: Any) -> bool:
    left, right = (("" if isinstance(other, str) else 0) if isinstance(value, Absent) else value
                   for value, other in ((left, right), (right, left)))  # fmt: skip
    if kind_of(left) != kind_of(right) or kind_of(left) not in ("a number", "a text"):
        raise ValueError(f"{kind_of(left)} {show(left)!r} and {kind_of(right)} {show(right)!r} have no order")
    return bool(left < right)


def _print(*values: Any) -> str:
    """Spaces stand between two values of which neither is a text."""
    parts: list[str] = []
    for place, value in enumerate(values):
        if place and not isinstance(value, str) and not isinstance(values[place - 1], str):
            parts.append(" ")
        parts.append(show(value))
    return "".join(parts)


def _js(*values: Any) -> str:
    text = _print(*values)
    marks = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}
    return "".join(marks.get(character, character) for character in text)


BUILTINS: Final[Mapping[str, Callable[..., Any]]] = {
    "eq": _eq,
    "ge": lambda left, right: not _less(left, right),
    "gt": lambda left, right: _less(right, left),
    "html": lambda *values: html.escape(_print(*values)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
    "index": index,
    "js": _js,
    "le": lambda left, right: not _less(right, left),
    "len": length,
    "lt": _less,
    "ne": lambda left, right: not equal(left, right),
    "not": lambda value: not truth(value),
    "print": _print,
    "printf": lambda form, *values: sprintf(show(form), *values),
    "println": lambda *values: " ".join(map(show, values)) + "\n",
    "slice": _slice,
    "urlquery": lambda *values: quote_plus(_print(*values)),
}
