"""Envoy configuration in JSON as protobuf messages: two documents are equal if their messages are."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

__all__ = ["first_difference", "parse_message"]


def _type_names(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, member in value.items():
            if key in ("@type", "type_url") and isinstance(member, str):
                yield member.rpartition("/")[2]
            yield from _type_names(member)
    elif isinstance(value, list):
        for member in value:
            yield from _type_names(member)


@cache
def _load(type_name: str) -> None:
    """Register a message type: import the generated modules of its package, if they are installed."""
    try:
        package = importlib.import_module(type_name.rpartition(".")[0])
    except ModuleNotFoundError:
        return  # a type that upstream Envoy does not have; it stays unparsed inside of a TypedStruct
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if module.name.endswith("_pb2"):
            importlib.import_module(module.name)


def parse_message(document: Mapping[str, Any], type_name: str) -> Message:
    """A JSON document as the message of that full name; every ``@type`` in it is known afterwards.

    Raises:
        json_format.ParseError: the document is no such message.
    """
    for name in {type_name, *_type_names(document)}:
        _load(name)
    descriptor = descriptor_pool.Default().FindMessageTypeByName(type_name)
    message: Message = json_format.ParseDict(dict(document), message_factory.GetMessageClass(descriptor)())
    return message


def first_difference(left: Any, right: Any, path: str = "") -> str:
    """Where two JSON documents differ first, and how; empty when they do not."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for key in sorted({*left, *right}):
            if found := first_difference(left.get(key), right.get(key), f"{path}.{key}"):
                return found
        return ""
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        pairs = zip(left, right, strict=True)
        return next((found for i, (a, b) in enumerate(pairs) if (found := first_difference(a, b, f"{path}[{i}]"))), "")
    return "" if left == right else f"{path or '.'}: {left!r} != {right!r}"
