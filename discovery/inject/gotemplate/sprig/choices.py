"""Functions that choose a value, tell what kind it is, or give up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from discovery.inject.gotemplate.sprig.texts import nothing
from discovery.inject.gotemplate.values import Record, plain, show, truth

__all__ = ["CHOICES"]


def _empty(value: Any) -> bool:
    return not (plain(value) if isinstance(value, Record) else truth(value))


def _default(default: Any, *given: Any) -> Any:
    """``default`` where the value is empty, or not there; zero and false are empty too."""
    return default if not given or _empty(given[0]) else given[0]


def _fail(message: Any) -> Any:
    raise ValueError(show(message))


def _required(message: Any, value: Any) -> Any:
    if nothing(value) or value == "":
        raise ValueError(show(message))
    return value


def _kind(value: Any) -> str:
    value = plain(value)
    names: dict[type, str] = {bool: "bool", int: "int", float: "float64", str: "string", list: "slice", dict: "map"}
    return names.get(type(value), "invalid")


CHOICES: Final[Mapping[str, Callable[..., Any]]] = {
    "all": lambda *values: all(not _empty(value) for value in values),
    "any": lambda *values: any(not _empty(value) for value in values),
    "coalesce": lambda *values: next((value for value in values if not _empty(value)), None),
    "deepEqual": lambda left, right: plain(left) == plain(right),
    "default": _default,
    "empty": _empty,
    "fail": _fail,
    "kindIs": lambda kind, value: _kind(value) == kind,
    "kindOf": _kind,
    "required": _required,
    "ternary": lambda yes, no, test: yes if truth(test) else no,
    "typeIs": lambda kind, value: _kind(value) == kind,
    "typeOf": _kind,
}
