"""Structural schemas of custom resources: prune what they do not know, fill in defaults, judge the rest.

Rules in CEL (`x-kubernetes-validations`) and formats are not judged.
Spec: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from tests.kit.kube_api.objects import Json, copied

__all__ = ["Cause", "filled", "judged", "pruned"]

Schema: TypeAlias = Mapping[str, Any]
Cause: TypeAlias = tuple[str, str, str]
"""Field, reason such as `FieldValueInvalid`, message."""

_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_ROOT: Final = frozenset({"apiVersion", "kind", "metadata"})


def pruned(value: Any, schema: Schema, *, root: bool = True) -> Any:
    """The value without fields that the schema neither knows nor preserves; type and metadata of an object stay."""
    if isinstance(value, list):
        return [pruned(item, schema.get("items") or {}, root=False) for item in value]
    if not isinstance(value, dict):
        return value
    properties: Schema = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    kept: Json = {}
    for name, inner in value.items():
        if root and name in _ROOT:
            kept[name] = inner
        elif name in properties:
            kept[name] = pruned(inner, properties[name], root=False)
        elif isinstance(others, dict):
            kept[name] = pruned(inner, others, root=False)
        elif others is True or schema.get(_PRESERVE):
            kept[name] = inner
    return kept


def filled(value: Any, schema: Schema) -> Any:
    """The value with the defaults of properties that are left out."""
    if isinstance(value, list):
        return [filled(item, schema.get("items") or {}) for item in value]
    if not isinstance(value, dict):
        return value
    properties: Schema = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    added = {
        name: copied({"value": inner["default"]})["value"]
        for name, inner in properties.items()
        if "default" in inner and name not in value
    }
    whole = {**value, **added}
    return {
        name: filled(inner, properties.get(name) or (others if isinstance(others, dict) else {}))
        for name, inner in whole.items()
    }


def judged(value: Any, schema: Schema, path: str = "") -> list[Cause]:
    """Everything in the value that the schema forbids."""
    if value is None and schema.get("nullable"):
        return []
    wrong = _type_causes(value, schema, path)
    if wrong:
        return wrong
    causes = [*_value_causes(value, schema, path), *_combined(value, schema, path)]
    if isinstance(value, dict):
        causes += _object_causes(value, schema, path)
    elif isinstance(value, list):
        causes += _array_causes(value, schema, path)
    return causes


def _type_causes(value: Any, schema: Schema, path: str) -> list[Cause]:
    if schema.get("x-kubernetes-int-or-string"):
        wanted, types = "integer,string", _TYPES["integer"] + _TYPES["string"]
    elif schema.get("type") in _TYPES:
        wanted, types = schema["type"], _TYPES[schema["type"]]
    else:
        return []
    if isinstance(value, types) and (wanted == "boolean" or not isinstance(value, bool)):
        return []
    name = next((label for label, kinds in _TYPES.items() if isinstance(value, kinds)), "null")
    message = f'Invalid value: "{name}": {path} in body must be of type {wanted}: "{name}"'
    return [(path, "FieldValueTypeInvalid", message)]


_LIMITS: Final[Mapping[str, tuple[Callable[[Any, Any], bool], str]]] = {
    "minimum": (lambda value, limit: value >= limit, "should be greater than or equal to"),
    "maximum": (lambda value, limit: value <= limit, "should be less than or equal to"),
    "minLength": (lambda value, limit: len(value) >= limit, "should be at least of length"),
    "maxLength": (lambda value, limit: len(value) <= limit, "should be at most of length"),
    "pattern": (lambda value, limit: re.search(limit, value) is not None, "should match"),
    "minItems": (lambda value, limit: len(value) >= limit, "should have at least this many items:"),
    "maxItems": (lambda value, limit: len(value) <= limit, "should have at most this many items:"),
    "minProperties": (lambda value, limit: len(value) >= limit, "should have at least this many properties:"),
    "maxProperties": (lambda value, limit: len(value) <= limit, "should have at most this many properties:"),
}
_APPLIES: Final[Mapping[str, tuple[type, ...]]] = {
    **dict.fromkeys(("minimum", "maximum"), (int, float)),
    **dict.fromkeys(("minLength", "maxLength", "pattern"), (str,)),
    **dict.fromkeys(("minItems", "maxItems"), (list,)),
    **dict.fromkeys(("minProperties", "maxProperties"), (dict,)),
}


def _value_causes(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    for name, (holds, text) in _LIMITS.items():
        limit = schema.get(name)
        if limit is not None and isinstance(value, _APPLIES[name]) and not holds(value, limit):
            yield path, "FieldValueInvalid", f"Invalid value: {value!r}: {path} in body {text} {limit}"
    allowed = schema.get("enum")
    if allowed is not None and value not in allowed:
        values = ", ".join(f'"{item}"' for item in allowed)
        yield path, "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {values}'


def _object_causes(value: Json, schema: Schema, path: str) -> Iterator[Cause]:
    properties: Schema = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    for name in schema.get("required") or ():
        if name not in value:
            yield _below(path, name), "FieldValueRequired", "Required value"
    for name, inner in value.items():
        if name in properties:
            yield from judged(inner, properties[name], _below(path, name))
        elif isinstance(others, dict):
            yield from judged(inner, others, _below(path, name))


def _array_causes(value: list[Any], schema: Schema, path: str) -> Iterator[Cause]:
    for index, item in enumerate(value):
        yield from judged(item, schema.get("items") or {}, f"{path}[{index}]")
    keys: list[str] = schema.get("x-kubernetes-list-map-keys") or []
    unique = bool(keys) or schema.get("x-kubernetes-list-type") == "set" or schema.get("uniqueItems")
    seen: list[Any] = []
    for index, item in enumerate(value if unique else ()):
        identity = [item.get(key) for key in keys] if keys and isinstance(item, dict) else item
        if identity in seen:
            yield f"{path}[{index}]", "FieldValueDuplicate", f"Duplicate value: {identity!r}"
        seen.append(identity)


def _combined(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    for part in schema.get("allOf") or ():
        yield from judged(value, part, path)
    any_of, one_of = schema.get("anyOf"), schema.get("oneOf")
    if any_of and not any(not judged(value, part, path) for part in any_of):
        yield path, "FieldValueInvalid", f"Invalid value: {path} in body must validate at least one schema (anyOf)"
    if one_of and sum(not judged(value, part, path) for part in one_of) != 1:
        yield path, "FieldValueInvalid", f"Invalid value: {path} in body must validate one and only one schema (oneOf)"
    if schema.get("not") and not judged(value, schema["not"], path):
        yield path, "FieldValueInvalid", f"Invalid value: {path} in body must not validate the schema (not)"


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
