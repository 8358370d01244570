"""``filter_metadata.istio``: how rendered resources name the objects they came from, for stats, filters and people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from discovery.schema.meta import Kind, ObjectKey
from discovery.wire.envoy import ListValue, Struct, Value
from discovery.wire.protowire import bytes_field, string_field

__all__ = ["config_path", "istio_metadata", "istio_metadata_bytes", "struct"]

_GROUP_VERSION: Final[Mapping[Kind, str]] = {
    Kind.VIRTUAL_SERVICE: "networking.istio.io/v1",
    Kind.DESTINATION_RULE: "networking.istio.io/v1",
    Kind.SERVICE_ENTRY: "networking.istio.io/v1",
    Kind.SIDECAR: "networking.istio.io/v1",
}
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def config_path(key: ObjectKey) -> str:
    """``/apis/<group>/<version>/namespaces/<namespace>/<kind-in-kebab-case>/<name>``."""
    kind = _HUMP.sub("-", key.kind).lower()
    return f"/apis/{_GROUP_VERSION[key.kind]}/namespaces/{key.namespace}/{kind}/{key.name}"


def struct(value: Mapping[str, Any]) -> Struct:
    """A ``google.protobuf.Struct`` of strings, numbers, booleans, mappings and sequences.

    Messages all the way down: given plain dictionaries, the generated classes take the field names of Struct itself for
    keys in some places and not in others.
    """
    return Struct(fields={key: _value(item) for key, item in value.items()})


def _value(value: Any) -> Value:
    if isinstance(value, bool):
        return Value(bool_value=value)
    if isinstance(value, str):
        return Value(string_value=value)
    if isinstance(value, int | float):
        return Value(number_value=float(value))
    if isinstance(value, Mapping):
        return Value(struct_value=struct(value))
    if isinstance(value, Sequence):
        return Value(list_value=ListValue(values=[_value(item) for item in value]))
    raise TypeError(f"metadata holds a {type(value).__name__}, want str, number, bool, mapping or sequence")


def istio_metadata(values: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword form of ``core.v3.Metadata`` with these values under ``istio``."""
    return {"filter_metadata": {"istio": struct(values)}}


def istio_metadata_bytes(values: Mapping[str, Any]) -> bytes:
    """``core.v3.Metadata`` with these strings and booleans, mappings and sequences of them under ``istio``.

    The same as serialising ``istio_metadata``, at a quarter of the cost: every cluster has one.
    """
    return bytes_field(1, _entry("istio", _struct_bytes(values)))


def _entry(key: str, value: bytes) -> bytes:
    return string_field(1, key) + bytes_field(2, value)


def _struct_bytes(value: Mapping[str, Any]) -> bytes:
    return b"".join(bytes_field(1, _entry(key, _value_bytes(value[key]))) for key in sorted(value))


def _value_bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return bytes_field(3, value.encode())
    if isinstance(value, bool):
        return b"\x20\x01" if value else b"\x20\x00"
    if isinstance(value, Mapping):
        return bytes_field(5, _struct_bytes(value))
    return bytes_field(6, b"".join(bytes_field(1, _value_bytes(item)) for item in value))
