"""What an API server would say of an object by a structural schema: enough of OpenAPI for what our CRDs use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

__all__ = ["complaints"]

_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}
_LENGTHS: Final = ("minLength", "minItems", "minProperties", "maxLength", "maxItems", "maxProperties")


def complaints(schema: Mapping[str, Any], value: Any, at: str = "") -> Iterator[str]:
    """Places where a value breaks the schema, and fields that would be pruned; one line each."""
    if value is None:
        if not schema.get("nullable"):
            yield f"{at}: null"
        return
    if "type" in schema and not _TYPES[schema["type"]](value):
        yield f"{at}: want {schema['type']}, got {value!r}"
        return
    yield from (f"{at}: {rule}" for rule in _broken(schema, value))
    if isinstance(value, dict):
        yield from _fields(schema, value, at)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from complaints(schema["items"], item, f"{at}[{index}]")


def _broken(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"{value!r} is not of {schema['enum']}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{value!r} does not match {schema['pattern']}"
    low, high = schema.get("minimum"), schema.get("maximum")
    if (low is not None and value < low) or (high is not None and value > high):
        yield f"{value!r} is out of range"
    for name in _LENGTHS:
        if name in schema and (len(value) < schema[name] if name.startswith("min") else len(value) > schema[name]):
            yield f"{name} {schema[name]}"
    if not _holds(schema, value):
        yield "oneOf"
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{name} is required"


def _holds(schema: Mapping[str, Any], value: Any) -> bool:
    """The logic on top of the structure, which in our definitions is about required fields only."""
    one_of = schema.get("oneOf")
    exclusive = one_of is None or sum(_admits(one, value) for one in one_of) == 1
    return exclusive and all(_admits(one, value) for one in schema.get("allOf", ()))


def _admits(logic: Mapping[str, Any], value: Any) -> bool:
    if "not" in logic:
        return not _admits(logic["not"], value)
    if "anyOf" in logic:
        return any(_admits(one, value) for one in logic["anyOf"])
    if "oneOf" in logic:
        return sum(_admits(one, value) for one in logic["oneOf"]) == 1
    return all(name in value for name in logic["required"])


def _fields(schema: Mapping[str, Any], value: Mapping[str, Any], at: str) -> Iterator[str]:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    for name, item in value.items():
        inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
        if inner is None:
            yield f"{at}.{name}: would be pruned"
        else:
            yield from complaints(inner, item, f"{at}.{name}")
