"""From a parsed document to typed objects, or to findings that say what is wrong with it.

Kubernetes' own kinds go through msgspec in one pass (16 us for an EndpointSlice of 100 endpoints); where that fails,
and for everything that users write by hand, ``proto_json`` reads the document and tells all problems at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from discovery.schema import proto_json
from discovery.schema.findings import Finding, Severity
from discovery.schema.kinds import KINDS, KindInfo, find_kind, is_mesh_group
from discovery.schema.manifest import Manifest
from discovery.schema.meta import Kind, Object, ObjectKey, ObjectMeta, Origin
from discovery.schema.proto_json import Problem
from discovery.schema.workload_entry import HEALTHY

__all__ = ["DEFAULT_NAMESPACE", "Decoded", "decode", "decode_json"]

DEFAULT_NAMESPACE = "default"
_NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
# Status that configuration depends on. All other status is for people, and a change of it is none for us.
_CONDITIONS = {Kind.WORKLOAD_ENTRY: frozenset({HEALTHY})}


class Decoded(msgspec.Struct, frozen=True):
    """What a document holds: a single object, or the items of a list."""

    objects: tuple[Object, ...] = ()
    findings: tuple[Finding, ...] = ()
    broken: tuple[ObjectKey, ...] = ()  # objects that could be told by name but not be read
    ignored: tuple[str, ...] = ()  # "apps/v1 Deployment shop/reviews": kinds that are none of our business


def decode(document: object, *, origin: Origin = Origin(), namespace: str = DEFAULT_NAMESPACE) -> Decoded:  # noqa: B008 - frozen
    """The objects of a parsed document (what a JSON or YAML parser gives).

    An empty document has none; a ``List`` has those of its items. ``namespace`` is for objects that name none.
    """
    if document is None:
        return Decoded()
    if not isinstance(document, dict):
        return _refused("", "", f"want an object with apiVersion and kind, got {type(document).__name__}", origin)
    kind, api_version = document.get("kind"), document.get("apiVersion")
    if kind is None and api_version is None:
        problem, hint = "no Kubernetes object: it has neither apiVersion nor kind", "it is ignored"
        return Decoded(findings=(Finding("", "", problem, hint, Severity.WARNING, origin),))
    if not isinstance(kind, str) or not isinstance(api_version, str) or not kind or not api_version:
        missing = "kind" if not isinstance(kind, str) or not kind else "apiVersion"
        return _refused("", missing, f"want a text, got {document.get(missing)!r}", origin)
    if kind.endswith("List") and isinstance(document.get("items"), list):
        return _join([decode(item, origin=origin, namespace=namespace) for item in document["items"]])
    group, _, version = api_version.rpartition("/")
    info = find_kind(group, kind)
    if info is None:
        return _not_served(document, origin)
    if version not in info.versions:
        wanted = " or ".join(f"{group}/{v}" if group else v for v in info.versions)
        return _refused(_told(document), "apiVersion", f"want {wanted}, got {api_version}", origin)
    return _decode_known(document, info, origin, namespace)


def decode_json(kind: Kind, data: bytes, *, origin: Origin = Origin()) -> Decoded:  # noqa: B008 - frozen
    """The object of a kind from the JSON that an API server sends; no intermediate dict for Kubernetes' own kinds.

    The API server pruned and defaulted it, so its apiVersion is not looked at and its text not kept.
    """
    info = KINDS[kind]
    if info.whole:
        try:
            read = _decoder(info.struct).decode(data)
            spec = info.struct(**{name: getattr(read, name) for name in info.struct.__struct_fields__})
            return _built(info, read.metadata, spec, origin)
        except msgspec.ValidationError:
            pass  # the slow way accepts null for defaults, or says all that is wrong
        except msgspec.DecodeError as error:
            return _refused(str(kind), "", f"want JSON, got text that is not: {error}", origin)
    try:
        document = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError as error:
        return _refused(str(kind), "", f"want a JSON object: {error}", origin)
    return _decode_known(document, info, origin, DEFAULT_NAMESPACE)


class _WithMetadata(msgspec.Struct, frozen=True, gc=False):
    metadata: ObjectMeta


@cache
def _decoder(struct: type[msgspec.Struct]) -> msgspec.json.Decoder[Any]:
    """Reads the struct's fields and the metadata in one pass over the text."""
    whole = msgspec.defstruct(
        f"{struct.__name__}WithMetadata",
        [("metadata", ObjectMeta)],
        bases=(struct,),
        frozen=True,
        kw_only=True,
        gc=False,
    )
    return msgspec.json.Decoder(whole)


def _decode_known(document: dict[str, Any], info: KindInfo, origin: Origin, namespace: str) -> Decoded:
    if info.whole:
        try:
            meta = msgspec.convert(document, _WithMetadata).metadata
            return _built(info, _placed(meta, info, namespace), msgspec.convert(document, info.struct), origin)
        except msgspec.ValidationError:
            pass  # once more, to find out everything
    meta_read, problems = proto_json.read(ObjectMeta, document.get("metadata") or {}, path="metadata")
    spec_document = document if info.whole else document.get("spec") or {}
    spec, more = proto_json.read(info.struct, spec_document, path="" if info.whole else "spec")
    problems += more
    if meta_read is None or spec is None:
        key = _key_of(document, info, namespace)
        findings = _findings(str(key) if key else _told(document), problems, origin)
        return Decoded(findings=findings, broken=(key,) if key else ())
    raw = None if info.whole else _manifest(document)
    built = _built(info, _placed(meta_read, info, namespace), spec, origin, problems=problems, raw=raw)
    wanted = _CONDITIONS.get(info.kind)
    if wanted is None or "status" not in document:
        return built
    conditions = _conditions(document["status"], wanted)
    objects = tuple(msgspec.structs.replace(obj, conditions=conditions) for obj in built.objects)
    return msgspec.structs.replace(built, objects=objects)


def _conditions(status: Any, wanted: frozenset[str]) -> dict[str, bool]:
    """Conditions of those types; controllers write them, so what cannot be read is as if it were not there."""
    found = status.get("conditions") if isinstance(status, dict) else None
    if not isinstance(found, list):
        return {}
    known = [item for item in found if isinstance(item, dict) and item.get("type") in wanted]
    return {item["type"]: item.get("status") == "True" for item in known}


def _placed(meta: ObjectMeta, info: KindInfo, namespace: str) -> ObjectMeta:
    """The metadata in the namespace it belongs to."""
    wanted = (meta.namespace or namespace) if info.namespaced else ""
    return meta if meta.namespace == wanted else msgspec.structs.replace(meta, namespace=wanted)


def _built(
    info: KindInfo,
    meta: ObjectMeta,
    spec: object,
    origin: Origin,
    *,
    problems: tuple[Problem, ...] = (),
    raw: Manifest | None = None,
) -> Decoded:
    if not meta.name:
        return _refused(str(info.kind), "metadata.name", "want a name, got none", origin)
    if info.kind is Kind.NAMESPACE and _NAMESPACE_NAME_LABEL not in meta.labels:  # as the API server does
        meta = msgspec.structs.replace(meta, labels={**meta.labels, _NAMESPACE_NAME_LABEL: meta.name})
    key = ObjectKey(info.kind, meta.namespace, meta.name)
    obj = Object(key=key, meta=meta, spec=spec, origin=origin, raw=raw if raw is not None else {})
    return Decoded(objects=(obj,), findings=_findings(str(key), problems, origin))


def _manifest(document: Mapping[str, Any]) -> Manifest:
    """The document without what only tools wrote into it."""
    metadata = {k: v for k, v in document.get("metadata", {}).items() if k != "managedFields"}
    return Manifest.of({**document, "metadata": metadata})


def _key_of(document: Mapping[str, Any], info: KindInfo, namespace: str) -> ObjectKey | None:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str) or not name:
        return None
    own = metadata.get("namespace")
    place = (own if isinstance(own, str) and own else namespace) if info.namespaced else ""
    return ObjectKey(info.kind, place, name)


def _told(document: Mapping[str, Any]) -> str:
    """What to call a document that has not been understood."""
    metadata = document.get("metadata")
    names = [metadata.get(part) for part in ("namespace", "name")] if isinstance(metadata, dict) else []
    return f"{document['kind']} {'/'.join(str(name) for name in names if name)}".rstrip()


def _not_served(document: Mapping[str, Any], origin: Origin) -> Decoded:
    api_version = document["apiVersion"]
    ignored = f"{api_version} {_told(document)}"
    if not is_mesh_group(api_version.partition("/")[0]):
        return Decoded(ignored=(ignored,))
    text = f"{document['kind']} of {api_version} is not served by this control plane and has no effect"
    finding = Finding(_told(document), "kind", text, severity=Severity.WARNING, origin=origin)
    return Decoded(findings=(finding,), ignored=(ignored,))


def _findings(told: str, problems: tuple[Problem, ...], origin: Origin) -> tuple[Finding, ...]:
    return tuple(Finding(told, p.path, p.text, p.hint, p.severity, origin) for p in problems)


def _refused(told: str, path: str, problem: str, origin: Origin) -> Decoded:
    return Decoded(findings=(Finding(told, path, problem, origin=origin),))


def _join(parts: list[Decoded]) -> Decoded:
    return Decoded(
        objects=tuple(obj for part in parts for obj in part.objects),
        findings=tuple(finding for part in parts for finding in part.findings),
        broken=tuple(key for part in parts for key in part.broken),
        ignored=tuple(name for part in parts for name in part.ignored),
    )
