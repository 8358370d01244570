"""The mesh configuration in the form in which users write it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import timedelta
from enum import Enum
from typing import Any

import msgspec

from discovery.wire.durations import format_duration

__all__ = ["proto_json"]


def proto_json(value: Any) -> Any:
    """A struct of the schema as proto-JSON data; what is empty or unset is left out, as protobuf does."""
    if isinstance(value, msgspec.Struct):
        fields = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        members = ((name, getattr(value, field)) for field, name in fields)
        return {name: proto_json(item) for name, item in members if not _is_unset(item)}
    if isinstance(value, timedelta):
        return format_duration(value.total_seconds())
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): proto_json(item) for key, item in value.items()}
    if isinstance(value, Set):
        return sorted(map(str, value))
    if isinstance(value, tuple | list):
        return [proto_json(item) for item in value]
    return value


def _is_unset(value: Any) -> bool:
    """Whether protobuf would not have it on the wire; a message that is there counts even if it is empty."""
    return value is None or value == "" or (isinstance(value, tuple | list | Mapping | Set) and not value)
