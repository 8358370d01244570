"""Reading Envoy bytes back for people: by type URL into messages, and messages with all inside them into data.

Generated modules are imported when a type is first met; the push path never comes here.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from functools import cache
from typing import Any

from google.protobuf import json_format, symbol_database

__all__ = ["decode", "load_type", "to_dict", "unpack"]

_PREFIX = "type.googleapis.com/"


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
    package = ".".join(part for part in parts if part[0].islower())
    try:
        _load_package(package)
        return symbol_database.Default().GetSymbol(full_name)
    except (ImportError, KeyError) as missing:
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
