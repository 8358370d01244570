"""Frozen structs of the mesh configuration back to JSON documents: templates and the agent read those."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import msgspec

from discovery.schema.mesh_config import MeshConfig
from discovery.schema.message import Message
from discovery.schema.proxy_config import ProxyConfig
from discovery.wire.durations import format_duration

__all__ = ["default_proxy_config", "mesh_document", "proxy_config_document", "to_document"]


def to_document(value: Any) -> Any:
    """Proto-JSON of a message: camelCase names, durations in seconds, nothing where nothing was written."""
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.fields(value)
        members = ((field.encode_name, getattr(value, field.name)) for field in fields)
        return {name: to_document(member) for name, member in members if member is not None}
    if isinstance(value, timedelta):
        return format_duration(value.total_seconds())
    if isinstance(value, Mapping):
        return {key: to_document(member) for key, member in value.items()}
    if isinstance(value, tuple | list):
        return [to_document(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _sparse(message: Message) -> dict[str, Any]:
    """Only what is not at its default: nested messages too."""
    document: dict[str, Any] = {}
    for field in msgspec.structs.fields(message):
        value = getattr(message, field.name)
        default = field.default if field.default is not msgspec.NODEFAULT else None
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        if value is not None and value != default:
            document[field.encode_name] = _sparse(value) if isinstance(value, Message) else to_document(value)
    return document


@cache
def default_proxy_config() -> Mapping[str, Any]:
    """The settings of a proxy that nobody configured."""
    return proxy_config_document(ProxyConfig())


def proxy_config_document(config: ProxyConfig) -> dict[str, Any]:
    """All settings at the top, defaults too, for templates ask for them; below it only what was written."""
    document: dict[str, Any] = {}
    for field in msgspec.structs.fields(config):
        value = getattr(config, field.name)
        if value is not None:
            document[field.encode_name] = _sparse(value) if isinstance(value, Message) else to_document(value)
    return document


def mesh_document(mesh: MeshConfig) -> dict[str, Any]:
    """The mesh's settings with their defaults."""
    document: dict[str, Any] = to_document(mesh)
    document["defaultConfig"] = proxy_config_document(mesh.default_config)
    return document
