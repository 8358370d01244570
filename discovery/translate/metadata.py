"""``filter_metadata.istio``: how rendered resources name the objects they came from, for stats, filters and people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from discovery.schema.meta import Kind, ObjectKey

__all__ = ["config_path", "istio_metadata", "struct"]

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


def struct(value: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword form of ``google.protobuf.Struct``."""
    return {"fields": {key: _value(item) for key, item in value.items()}}


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"bool_value": value}
    if isinstance(value, str):
        return {"string_value": value}
    if isinstance(value, int | float):
        return {"number_value": float(value)}
    if isinstance(value, Mapping):
        return {"struct_value": struct(value)}
    if isinstance(value, Sequence):
        return {"list_value": {"values": [_value(item) for item in value]}}
    raise TypeError(f"metadata holds a {type(value).__name__}, want str, number, bool, mapping or sequence")


def istio_metadata(values: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword form of ``core.v3.Metadata`` with these values under ``istio``."""
    return {"filter_metadata": {"istio": struct(values)}}
