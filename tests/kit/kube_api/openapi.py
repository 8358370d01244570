"""Schemas as kubectl and Helm want them: enough to know that the server validates fields and dry-runs by itself.

Built-in kinds are open objects; custom resources show their own schema.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tests.kit.kube_api.kinds import Kind
from tests.kit.kube_api.objects import Json

__all__ = ["swagger", "swagger_protobuf", "v3_document"]

_PARAMETERS: Final = ("dryRun", "fieldManager", "fieldValidation", "force")
_PATCHES: Final = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")
_OPEN: Final[Json] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _identity(kind: Kind) -> Json:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _schema_name(kind: Kind) -> str:
    return ".".join([*reversed((kind.group or "core").split(".")), kind.version, kind.kind])


def _path(kind: Kind, *, name: bool) -> str:
    root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    inside = "/namespaces/{namespace}" if kind.namespaced else ""
    return f"{root}{inside}/{kind.plural}" + ("/{name}" if name else "")


def v3_document(kinds: Iterable[Kind]) -> Json:
    """The OpenAPI 3 document of one group version."""
    paths: Json = {}
    schemas: Json = {}
    for kind in kinds:
        reference = {"$ref": f"#/components/schemas/{_schema_name(kind)}"}
        answers = {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}}
        parameters = [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}} for name in _PARAMETERS
        ]
        group_version_kind = {"x-kubernetes-group-version-kind": _identity(kind), "parameters": parameters}
        json_body = {"content": {"application/json": {"schema": reference}}}
        patch_body = {"content": {name: {"schema": {"type": "object"}} for name in _PATCHES}}
        base = {**group_version_kind, "responses": answers}
        paths[_path(kind, name=False)] = {
            "get": {**base, "x-kubernetes-action": "list"},
            "post": {**base, "x-kubernetes-action": "post", "requestBody": json_body},
        }
        paths[_path(kind, name=True)] = {
            "get": {**base, "x-kubernetes-action": "get"},
            "put": {**base, "x-kubernetes-action": "put", "requestBody": json_body},
            "patch": {**base, "x-kubernetes-action": "patch", "requestBody": patch_body},
            "delete": {**base, "x-kubernetes-action": "delete"},
        }
        schemas[_schema_name(kind)] = {**(kind.schema or _OPEN), "x-kubernetes-group-version-kind": [_identity(kind)]}
    info = {"title": "Kubernetes", "version": "unversioned"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def swagger(kinds: Iterable[Kind]) -> Json:
    """The Swagger 2 document of everything, as JSON."""
    paths: Json = {}
    definitions: Json = {}
    parameters = [{"name": name, "in": "query", "type": "string", "uniqueItems": True} for name in _PARAMETERS]
    for kind in kinds:
        answers = {"200": {"description": "OK", "schema": {"$ref": f"#/definitions/{_schema_name(kind)}"}}}
        operation = {"x-kubernetes-group-version-kind": _identity(kind), "responses": answers, "parameters": parameters}
        body = {"name": "body", "in": "body", "required": True, "schema": {"type": "object"}}
        paths[_path(kind, name=True)] = {
            "patch": {
                **operation,
                "consumes": list(_PATCHES),
                "parameters": [*parameters, body],
                "x-kubernetes-action": "patch",
            }
        }
        definitions[_schema_name(kind)] = {**_OPEN, "x-kubernetes-group-version-kind": [_identity(kind)]}
    info = {"title": "Kubernetes", "version": "unversioned"}
    return {"swagger": "2.0", "info": info, "paths": paths, "definitions": definitions}


def swagger_protobuf(kinds: Iterable[Kind]) -> bytes:
    """The Swagger 2 document as protobuf, which kubectl before 1.24 insists on: that patches can be dry runs.

    Field numbers are those of gnostic's `openapi.v2`.
    """
    paths = b"".join(_field(2, _field(1, _path(kind, name=True)) + _field(2, _patch_item(kind))) for kind in kinds)
    return _field(1, "2.0") + _field(8, paths)


def _patch_item(kind: Kind) -> bytes:
    parameter = _field(2, "query") + _field(4, "dryRun")
    identity = "".join(f"{name}: {value!r}\n" for name, value in _identity(kind).items())
    extension = _field(1, "x-kubernetes-group-version-kind") + _field(2, _field(2, identity))
    operation = _field(8, _field(1, _field(2, _field(3, parameter)))) + _field(13, extension)
    return _field(8, operation)


def _field(number: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
