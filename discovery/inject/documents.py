"""Pods as JSON documents: small questions that all parts of injection ask of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from discovery.inject.errors import PodError
from discovery.inject.names import PROXY_CONTAINER

__all__ = [
    "Json",
    "annotations_of",
    "copied",
    "find_container",
    "find_proxy",
    "go_bool",
    "labels_of",
    "list_of",
    "mapping_of",
]

Json: TypeAlias = dict[str, Any]

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def copied(document: Any) -> Any:
    """A copy that shares nothing."""
    return msgspec.json.decode(msgspec.json.encode(document))


def mapping_of(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The object at a path; empty where it is not there.

    Raises:
        PodError: something else is there.
    """
    found: Any = document
    for key in path:
        found = found.get(key) or {}
        if not isinstance(found, Mapping):
            raise PodError(f"{'.'.join(path)}: want an object, got {type(found).__name__}")
    return found  # type: ignore[no-any-return]  # narrowed in the loop


def list_of(document: Mapping[str, Any], *path: str) -> list[Json]:
    """The objects of the list at a path.

    Raises:
        PodError: something else is there.
    """
    found = mapping_of(document, *path[:-1]).get(path[-1]) or []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise PodError(f"{'.'.join(path)}: want a list of objects")
    return found


def annotations_of(pod: Mapping[str, Any]) -> Mapping[str, str]:
    """The pod's annotations."""
    return _texts(pod, "annotations")


def labels_of(pod: Mapping[str, Any]) -> Mapping[str, str]:
    """The pod's labels."""
    return _texts(pod, "labels")


def _texts(pod: Mapping[str, Any], kind: str) -> Mapping[str, str]:
    found = mapping_of(pod, "metadata", kind)
    for key, value in found.items():
        if not isinstance(value, str):
            raise PodError(f"metadata.{kind}[{key!r}]: want a text, got {value!r}; put it in quotes")
    return found


def find_container(containers: list[Json], name: str) -> Json | None:
    """The container of that name."""
    return next((container for container in containers if container.get("name") == name), None)


def find_proxy(pod: Mapping[str, Any]) -> Json | None:
    """The proxy's container, among the containers or the init containers."""
    for kind in ("containers", "initContainers"):
        found = find_container(list_of(pod, "spec", kind), PROXY_CONTAINER)
        if found is not None:
            return found
    return None


def go_bool(text: str) -> bool | None:
    """A boolean in one of Go's spellings; None if it is none."""
    return True if text in _TRUE else False if text in _FALSE else None
