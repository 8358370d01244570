"""Structs as structural OpenAPI schemas, the form in which an API server wants the fields of a custom resource.

Fields, enums, bounds, required fields and oneofs come from the types; descriptions from the structs' docstrings.

Spec: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from discovery.schema.message import Message, ProtoEnum

__all__ = ["object_schema"]

Schema = dict[str, Any]

_SCALARS: Final[Mapping[Any, Schema]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "format": "int32"},
    float: {"type": "number", "format": "double"},
    bytes: {"type": "string", "format": "byte"},
    timedelta: {"type": "string"},  # proto durations such as 1.5s, and Go's such as 1m30s
    datetime: {"type": "string", "format": "date-time"},
    Any: {"x-kubernetes-preserve-unknown-fields": True},
}

_LENGTHS: Final[Mapping[str, tuple[str, str]]] = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}
_INT64: Final = 2**63  # integers of an API server end here

# Fields that objects also write in the old spelling, which the API server would prune away.
_OLD_SPELLINGS: Final = {"mirrorPercent": "mirror_percent", "jwksUri": "jwks_uri"}


def object_schema(struct: type[msgspec.Struct]) -> Schema:
    """The schema of a struct: an object with all of its fields, under the names that documents use."""
    hints = get_type_hints(struct, include_extras=True)
    names = dict(zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True))
    oneofs = struct.oneofs if issubclass(struct, Message) else ()
    exclusive = {attribute for group in oneofs for attribute in group}
    properties: Schema = {}
    for attribute, name in sorted(names.items(), key=lambda item: item[1]):
        schema = _schema(hints[attribute], nullable=attribute not in exclusive)
        properties[name] = schema
        if name in _OLD_SPELLINGS:
            properties[_OLD_SPELLINGS[name]] = schema
    made: Schema = {"type": "object", "description": _description(struct), "properties": properties}
    if issubclass(struct, Message) and struct.required:
        made["required"] = [names[attribute] for attribute in struct.required]
    groups = [_at_most_one([names[attribute] for attribute in group]) for group in oneofs]
    if len(groups) == 1:
        made.update(groups[0])
    elif groups:
        made["allOf"] = groups
    return made


def _at_most_one(names: list[str]) -> Schema:
    each = [{"required": [name]} for name in names]
    return {"oneOf": [{"not": {"anyOf": each}}, *each]}


def _description(struct: type[msgspec.Struct]) -> str:
    """The first paragraph of the docstring, as one line of plain text."""
    text = (struct.__doc__ or "").partition("\n\n")[0]
    return " ".join(text.replace("``", "'").split())


def _schema(wanted: Any, *, nullable: bool = False) -> Schema:
    origin, args = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        return _bounded(_schema(args[0]), args[1])
    if origin is Union or origin is types.UnionType:
        return _optional([arg for arg in args if arg is not types.NoneType], nullable=nullable)
    if origin is tuple:
        return {"type": "array", "items": _schema(args[0])}
    if origin is not None and issubclass(origin, Mapping):
        if args[1] is Any:
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        return {"type": "object", "additionalProperties": _schema(args[1])}
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return object_schema(wanted)
    if isinstance(wanted, type) and issubclass(wanted, ProtoEnum):
        return {"type": "string", "enum": [str(member) for member in wanted]}
    return dict(_SCALARS[wanted])


def _optional(wanted: list[Any], *, nullable: bool) -> Schema:
    """A field that may be unset; for numbers and booleans an explicit null says so too, as in proto-JSON's wrappers."""
    schema = _schema(wanted[0])
    if nullable and schema["type"] in ("boolean", "integer", "number"):
        schema["nullable"] = True
    return schema


def _bounded(schema: Schema, meta: msgspec.Meta) -> Schema:
    made = {key: value for key, value in schema.items() if key != "format" or schema["type"] != "integer"}
    least, most = _LENGTHS.get(schema["type"], ("", ""))
    bounds = {
        "minimum": meta.ge,
        "maximum": meta.le if meta.le is None or meta.le < _INT64 else None,
        least: meta.min_length,
        most: meta.max_length,
        "pattern": meta.pattern,
    }
    return {**made, **{key: value for key, value in bounds.items() if value is not None}}
