"""``filter_metadata.istio``: how rendered resources name the objects they came from, for stats, filters and people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from discovery.schema.meta import Kind, ObjectKey
from discovery.wire.envoy import ListValue, Struct, Value
from discovery.wire.protowire import bytes_field, string_field

__all__ = ["config_path", "istio_metadata", "service_metadata_bytes", "struct"]

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


def service_metadata_bytes(values: Mapping[str, str | bool], *, host: str, name: str, namespace: str) -> bytes:
    """``core.v3.Metadata`` with one service and these values under ``istio``.

    The same as serialising ``istio_metadata`` at a tenth of the cost: every cluster has one.
    """
    item = _text("host", host) + _text("name", name) + _text("namespace", namespace)
    services = bytes_field(6, bytes_field(1, bytes_field(5, item)))
    content = b"".join(
        _text(key, value) if isinstance(value, str) else _entry(key, _TRUE if value else _FALSE)
        for key, value in sorted(values.items())
    )
    return bytes_field(1, string_field(1, "istio") + bytes_field(2, content + _entry("services", services)))


_TRUE: Final = b"\x20\x01"  # Value.bool_value
_FALSE: Final = b"\x20\x00"


def _entry(key: str, value: bytes) -> bytes:
    """One entry of ``Struct.fields``."""
    return bytes_field(1, string_field(1, key) + bytes_field(2, value))


def _text(key: str, value: str) -> bytes:
    return bytes_field(1, string_field(1, key) + bytes_field(2, bytes_field(3, value.encode())))
