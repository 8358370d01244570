"""Objects of the API as JSON has them, and the few parts that every object shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

__all__ = ["Json", "Key", "copied", "drop", "key_of", "meta", "with_meta"]

Json: TypeAlias = dict[str, Any]
"""A JSON object. What the store holds is never changed in place; change a `copied` one."""
Key: TypeAlias = tuple[str, str]
"""Namespace (empty for cluster-scoped objects) and name."""


def copied(item: Mapping[str, Any]) -> Json:
    """An equal object that shares nothing with the first."""
    return msgspec.json.decode(msgspec.json.encode(item), type=Json)


def meta(item: Mapping[str, Any]) -> Json:
    """The metadata, empty if there is none."""
    found: Json = item.get("metadata") or {}
    return found


def key_of(item: Mapping[str, Any]) -> Key:
    """Namespace and name."""
    return meta(item).get("namespace", ""), meta(item).get("name", "")


def with_meta(item: Mapping[str, Any], **changes: object) -> Json:
    """The same object with other metadata fields; None takes a field away. Shares everything else with the first."""
    metadata = {name: value for name, value in {**meta(item), **changes}.items() if value is not None}
    return {**item, "metadata": metadata}


def drop(item: Json, *fields: str) -> Json:
    """The object without some top-level fields."""
    return {name: value for name, value in item.items() if name not in fields}
