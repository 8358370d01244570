"""Envoy's messages as data of people: bytes read back by type URL, and data judged by the types it is meant for.

Generated modules are imported when a type is first met; the push path never comes here.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from google.protobuf import json_format, symbol_database

__all__ = ["DataFaults", "decode", "faults_of", "load_type", "to_dict", "unpack"]

_PREFIX = "type.googleapis.com/"
_MAX_DEPTH = 100
_ROOTS = frozenset({"envoy", "google", "opencensus", "udpa", "validate", "xds"})
"""Of the packages that generated classes are in."""
_UNKNOWN_FIELD = "has no field named"  # as the parser says it


@cache
def _load_package(package: str) -> None:
    """Import every generated module of a protobuf package, so that its types can be looked up by name."""
    module = importlib.import_module(package)
    for found in pkgutil.iter_modules(module.__path__):
        if found.name.endswith("_pb2"):
            importlib.import_module(f"{package}.{found.name}")


@cache
def load_type(full_name: str) -> Any:
    """The generated class of a message type.

    Raises:
        LookupError: no generated code is installed for it.
    """
    parts = full_name.split(".")
    if parts[0] not in _ROOTS or not all(part.isidentifier() for part in parts):
        raise LookupError(f"no generated class for {full_name}")  # names come from users, and importing runs code
    package = ".".join(part for part in parts if part[0].islower())
    try:
        _load_package(package)
        return symbol_database.Default().GetSymbol(full_name)
    except (ImportError, AttributeError, KeyError) as missing:
        raise LookupError(f"no generated class for {full_name}") from missing


def decode(type_url: str, value: bytes) -> Any:
    """The message behind a type URL."""
    return load_type(type_url.removeprefix(_PREFIX)).FromString(value)


def unpack(packed: Any) -> Any:
    """The message inside a `google.protobuf.Any`."""
    return decode(packed.type_url, packed.value)


def to_dict(message: Any) -> Any:
    """A message as JSON data, `Any`s opened whatever types are inside."""
    _load_types_in(message)
    return json.loads(json_format.MessageToJson(message))  # plain dictionaries only, `Any` gives ordered ones


def _load_types_in(message: Any) -> None:
    if message.DESCRIPTOR.full_name == "google.protobuf.Any":
        if message.type_url:
            _load_types_in(unpack(message))
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            for item in value.values():
                if hasattr(item, "DESCRIPTOR"):
                    _load_types_in(item)
        elif hasattr(value, "DESCRIPTOR"):
            _load_types_in(value)
        else:
            for item in value:
                _load_types_in(item)


class DataFaults(NamedTuple):
    """What is wrong with data that is meant for a message.

    Attributes:
        error: why Envoy could not read it at all; empty if it could.
        odd: what it would not know: a field, or the type of an extension.
    """

    error: str = ""
    odd: tuple[str, ...] = ()


def faults_of(full_name: str, data: Mapping[str, Any]) -> DataFaults:
    """Judge data by a message type, in the JSON form of protobuf, with both spellings of names.

    Spec: https://protobuf.dev/programming-guides/json/
    """
    unknown = tuple(dict.fromkeys(_unknown_types(data)))
    odd = tuple(f"has the type {name!r}, which is none of Envoy's" for name in unknown)
    message = load_type(full_name)
    known: Any = _without(data, frozenset(unknown)) if unknown else data
    try:
        json_format.ParseDict(known, message(), max_recursion_depth=_MAX_DEPTH)
    except json_format.ParseError as strict:
        try:
            json_format.ParseDict(known, message(), ignore_unknown_fields=True, max_recursion_depth=_MAX_DEPTH)
        except json_format.ParseError as error:
            return DataFaults(_first_line(error), odd)
        text = _first_line(strict)  # leniency goes too far: a word that is none of an enumeration's is no unknown field
        return DataFaults(odd=(*odd, text)) if _UNKNOWN_FIELD in text else DataFaults(text, odd)
    return DataFaults(odd=odd)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")


def _type_of(data: Mapping[str, Any]) -> str:
    name = data.get("@type")
    return name.rpartition("/")[2] if isinstance(name, str) else ""


def _unknown_types(data: Any) -> Iterator[str]:
    """The types of packed messages that no generated class is installed for; the others are loaded by this."""
    if isinstance(data, Mapping):
        name = _type_of(data)
        if name and not _is_known(name):
            yield name
        for value in data.values():
            yield from _unknown_types(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _unknown_types(value)


def _is_known(name: str) -> bool:
    try:
        load_type(name)
    except LookupError:
        return False
    return True


def _without(data: Any, types: frozenset[str]) -> Any:
    """The data, packed messages of these types left out."""
    if isinstance(data, Mapping):
        return {key: _without(value, types) for key, value in data.items() if not _is_packed(value, types)}
    if isinstance(data, list | tuple):
        return [_without(value, types) for value in data if not _is_packed(value, types)]
    return data


def _is_packed(value: Any, types: frozenset[str]) -> bool:
    return isinstance(value, Mapping) and _type_of(value) in types
