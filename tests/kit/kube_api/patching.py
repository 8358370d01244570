"""JSON Patch, JSON Merge Patch and the choice between all kinds of patch. Pure: object and patch in, object out.

Spec: RFC 6902, RFC 7386 and https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-update
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import yaml

from tests.kit.kube_api.errors import StatusError, bad_request, unsupported_media_type
from tests.kit.kube_api.kinds import Kind
from tests.kit.kube_api.objects import Json, copied
from tests.kit.kube_api.protobuf import PROTOBUF, decode_protobuf
from tests.kit.kube_api.strategic import strategic_merge

__all__ = ["APPLY", "decode_body", "json_patch", "merge_patch", "patched"]

JSON: Final = "application/json-patch+json"
MERGE: Final = "application/merge-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"


def decode_body(data: bytes, content_type: str = "application/json") -> Json:
    """The object in a body: JSON, YAML or protobuf; an empty one for no body.

    Raises:
        StatusError: 400 or 415.
    """
    if not data:
        return {}
    if content_type == PROTOBUF:
        return decode_protobuf(data)
    try:
        if "yaml" in content_type:
            decoded = yaml.safe_load(data)
            if not isinstance(decoded, dict):
                raise bad_request("the body is no object")
            return copied(decoded)
        if "json" not in content_type and content_type not in ("", "*/*", "application/octet-stream"):
            raise unsupported_media_type("application/json, application/yaml")
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, yaml.YAMLError) as error:
        raise bad_request(f"the body does not parse: {error}") from error


def patched(kind: Kind, content_type: str, data: bytes, old: Json) -> Json:
    """The object after a patch other than apply.

    Raises:
        StatusError: 400, 415 or 422.
    """
    if content_type == JSON:
        try:
            operations = msgspec.json.decode(data, type=list[dict[str, Any]])
        except msgspec.DecodeError as error:
            raise bad_request(f"error decoding patch: {error}") from error
        return json_patch(old, operations)
    if content_type == MERGE:
        merged: Json = merge_patch(old, decode_body(data))
        return merged
    if content_type == STRATEGIC and not kind.custom:
        return strategic_merge(kind.kind, old, decode_body(data))
    accepted = [JSON, MERGE, APPLY] if kind.custom else [JSON, MERGE, STRATEGIC, APPLY]
    raise unsupported_media_type(", ".join(accepted))


def merge_patch(target: object, patch: object) -> Any:
    """RFC 7386: null takes away, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def json_patch(target: Json, operations: list[dict[str, Any]]) -> Json:
    """RFC 6902: all operations, or none.

    Raises:
        StatusError: 422, one of them cannot be done.
    """
    document: Any = copied(target)
    for operation in operations:
        try:
            document = _operate(document, operation)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            why = f"the server rejected our request due to an error in our request: {operation}: {error!r}"
            raise StatusError(422, "Invalid", why, {}) from error
    if not isinstance(document, dict):
        raise StatusError(422, "Invalid", "the patch leaves no object", {})
    return document


def _operate(document: Any, operation: Mapping[str, Any]) -> Any:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "add":
            return _add(document, path, operation["value"])
        case "remove":
            return _remove(document, path)
        case "replace":
            _get(document, path)
            return _add(_remove(document, path), path, operation["value"])
        case "test":
            if _get(document, path) != operation["value"]:
                raise ValueError(f"testing value {operation['path']} failed")
            return document
        case "copy":
            return _add(document, path, _get(document, _pointer(operation["from"])))
        case "move":
            source = _pointer(operation["from"])
            return _add(_remove(document, source), path, _get(document, source))
        case other:
            raise ValueError(f"unknown operation {other}")


def _pointer(text: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _get(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    value = copied({"value": value})["value"]
    if not path:
        return value
    parent = _get(document, path[:-1])
    if isinstance(parent, list):
        index = len(parent) if path[-1] == "-" else int(path[-1])
        if not 0 <= index <= len(parent):
            raise IndexError(f"index {index} of {len(parent)}")
        parent.insert(index, value)
    else:
        parent[path[-1]] = value
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        return None
    document = copied({"value": document})["value"]
    parent = _get(document, path[:-1])
    if isinstance(parent, list):
        parent.pop(int(path[-1]))
    else:
        del parent[path[-1]]
    return document
