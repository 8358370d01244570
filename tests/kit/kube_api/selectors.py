"""Label and field selectors as `list` and `watch` take them.

Spec: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors and field-selectors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from tests.kit.kube_api.errors import bad_request
from tests.kit.kube_api.kinds import Kind
from tests.kit.kube_api.objects import Json, meta

__all__ = ["Match", "field_match", "label_match", "label_selector_match", "selection"]

Match: TypeAlias = Callable[[Json], bool]
_LabelTest: TypeAlias = Callable[[Mapping[str, str]], bool]

_SET_BASED: Final = re.compile(r"^\s*(?P<key>[\w./-]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)\s*$")
_COMPARED: Final = re.compile(r"^\s*(?P<key>[\w./-]+)\s*(?P<op>==|=|!=)\s*(?P<value>[\w.-]*)\s*$")
_EXISTS: Final = re.compile(r"^\s*(?P<absent>!)?\s*(?P<key>[\w./-]+)\s*$")
_SPLIT: Final = re.compile(r",(?![^(]*\))")
_FIELD: Final = re.compile(r"^\s*(?P<field>[\w.\[\]-]+)\s*(?P<op>==|=|!=)\s*(?P<value>.*?)\s*$")

_EVENT_FIELDS: Final = frozenset(
    {f"involvedObject.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion")}
    | {"involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"}
)
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "Pod": frozenset(
        {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork"}
        | {"status.phase", "status.podIP", "status.nominatedNodeName"}
    ),
    "Event": _EVENT_FIELDS,
    "Namespace": frozenset({"status.phase"}),
    "Node": frozenset({"spec.unschedulable"}),
    "Secret": frozenset({"type"}),
    "Service": frozenset({"spec.clusterIP", "spec.type"}),
    "Job": frozenset({"status.successful"}),
    "ReplicaSet": frozenset({"status.replicas"}),
    "CertificateSigningRequest": frozenset({"spec.signerName"}),
}


def label_match(text: str) -> Match:
    """Objects that a label selector in its text form selects.

    Raises:
        StatusError: 400, it does not parse.
    """
    tests = [_label_test(part) for part in _SPLIT.split(text)] if text.strip() else []
    return lambda item: all(test(meta(item).get("labels") or {}) for test in tests)


def _label_test(part: str) -> _LabelTest:
    if found := _SET_BASED.match(part):
        key, values = found["key"], {value.strip() for value in found["values"].split(",")}
        if found["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _COMPARED.match(part):
        key, value = found["key"], found["value"]
        if found["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.match(part):
        key, wanted = found["key"], found["absent"] is None
        return lambda labels: (key in labels) is wanted
    raise bad_request(f"unable to parse requirement: found '{part}', expected: !, identifier, or 'end of string'")


def label_selector_match(selector: Mapping[str, Any] | None) -> _LabelTest:
    """Labels that a `LabelSelector` object selects; an empty or absent one selects all."""
    selector = selector or {}
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    expressions: list[Json] = selector.get("matchExpressions") or []
    return lambda labels: (
        all(labels.get(key) == value for key, value in wanted.items())
        and all(_expression_holds(expression, labels) for expression in expressions)
    )


def _expression_holds(expression: Json, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def field_match(text: str, kind: Kind) -> Match:
    """Objects that a field selector selects.

    Raises:
        StatusError: 400, it does not parse, or the kind has no such selectable field.
    """
    tests = [_field_test(part, kind) for part in text.split(",")] if text.strip() else []
    return lambda item: all(test(item) for test in tests)


def _field_test(part: str, kind: Kind) -> Match:
    found = _FIELD.match(part)
    if found is None:
        raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
    field, value, equal = found["field"], found["value"], found["op"] != "!="
    common = {"metadata.name", "metadata.namespace"} if kind.namespaced else {"metadata.name"}
    if field not in common | _FIELDS.get(kind.kind, frozenset()):
        raise bad_request(f"field label not supported: {field}")
    return lambda item: (_field(item, field) == value) is equal


def _field(item: Json, path: str) -> str:
    found: Any = item
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, bool):
        return str(found).lower()
    return "" if found is None else str(found)


def selection(query: Mapping[str, str], kind: Kind, namespace: str) -> Match:
    """What a `list` or `watch` asks for.

    Raises:
        StatusError: 400, a selector does not parse.
    """
    labels = label_match(query.get("labelSelector", ""))
    fields = field_match(query.get("fieldSelector", ""), kind)
    if namespace:
        return lambda item: meta(item).get("namespace") == namespace and labels(item) and fields(item)
    return lambda item: labels(item) and fields(item)
