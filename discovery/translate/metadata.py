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
    item = _text(_HOST, host) + _text(_NAME, name) + _text(_NAMESPACE, namespace)
    content = bytes_field(1, _SERVICES + bytes_field(2, bytes_field(6, bytes_field(1, bytes_field(5, item)))))
    if values:
        more = (_entry(string_field(1, key), value) for key, value in sorted(values.items()))
        content = b"".join(more) + content
    return bytes_field(1, _ISTIO + bytes_field(2, content))


_ISTIO: Final = string_field(1, "istio")
_SERVICES: Final = string_field(1, "services")
_HOST: Final = string_field(1, "host")
_NAME: Final = string_field(1, "name")
_NAMESPACE: Final = string_field(1, "namespace")
_TRUE: Final = b"\x20\x01"  # Value.bool_value
_FALSE: Final = b"\x20\x00"


def _entry(key: bytes, value: str | bool) -> bytes:  # noqa: FBT001 - the value is data
    """One entry of ``Struct.fields``; the key is its field, encoded."""
    if isinstance(value, str):
        return _text(key, value)
    return bytes_field(1, key + bytes_field(2, _TRUE if value else _FALSE))


def _text(key: bytes, value: str) -> bytes:
    data = value.encode()
    size = len(data)
    whole = len(key) + size + 4
    if whole < 0x80:  # all lengths are one byte each
        return bytes((0x0A, whole)) + key + bytes((0x12, size + 2, 0x1A, size)) + data
    return bytes_field(1, key + bytes_field(2, bytes_field(3, data)))
