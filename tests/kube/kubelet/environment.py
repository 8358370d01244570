"""What a container's environment and arguments are: values, references to fields and objects, `$(NAME)`. Pure.

Spec: https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from tests.kube.kubelet.quantities import render_share

__all__ = ["Json", "MissingReferenceError", "References", "expand", "field", "named_references", "resolve_environment"]

Json = dict[str, Any]
References = Mapping[tuple[str, str], Mapping[str, str]]
"""Data of the objects that a pod names, by kind (`ConfigMap`, `Secret`) and name; secrets decoded."""

_NODE: Final = {"cpu": "64", "memory": "64Gi", "ephemeral-storage": "64Gi"}  # what a container without limit is told
_KEYED: Final = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")
_REFERENCE: Final = re.compile(r"\$(\$|\(([^)]*)\))")
_KINDS: Final = {
    "configMapKeyRef": "ConfigMap",
    "secretKeyRef": "Secret",
    "configMapRef": "ConfigMap",
    "secretRef": "Secret",
}


class MissingReferenceError(LookupError):
    """An object or key that a container needs is not there (yet)."""


def field(pod: Json, path: str) -> str:
    """A field of the pod as the downward API gives it.

    Raises:
        MissingReferenceError: there is no such field.
    """
    keyed = _KEYED.match(path)
    if keyed:
        return str(pod["metadata"].get(keyed[1], {}).get(keyed[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        values = pod["metadata"].get(path.split(".")[1]) or {}
        return "\n".join(f'{key}="{_escaped(value)}"' for key, value in sorted(values.items()))
    status = pod.get("status", {})
    known = {
        **{f"metadata.{name}": pod["metadata"].get(name, "") for name in ("name", "namespace", "uid")},
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", "default"),
        "status.podIP": status.get("podIP", ""),
        "status.podIPs": ",".join(entry["ip"] for entry in status.get("podIPs", [])),
        "status.hostIP": status.get("hostIP", ""),
        "status.hostIPs": status.get("hostIP", ""),
    }
    if path not in known:
        raise MissingReferenceError(f"the downward API has no field {path!r}")
    return str(known[path])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def resource_field(pod: Json, container: Json, reference: Json) -> str:
    """`limits.cpu` and its like; what has no limit is told what the node has."""
    name = reference.get("containerName", "")
    every = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
    chosen = next((entry for entry in every if entry["name"] == name), container)
    kind, _, resource = reference["resource"].partition(".")
    given = chosen.get("resources", {}).get(kind, {}).get(resource)
    return render_share(given or (_NODE[resource] if kind == "limits" else "0"), str(reference.get("divisor", "1")))


def named_references(pod: Json) -> set[tuple[str, str]]:
    """Kind and name of each object that the environment of a container is made of."""
    found = set()
    for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
        sources = [entry.get("valueFrom", {}) for entry in container.get("env", [])] + container.get("envFrom", [])
        for source in sources:
            found |= {(kind, source[key]["name"]) for key, kind in _KINDS.items() if key in source}
    return found


def resolve_environment(
    pod: Json, container: Json, references: References, base: Mapping[str, str], services: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of a container.

    Args:
        base: of the image.
        services: where the API server is, as every container is told.

    Raises:
        MissingReferenceError: a reference that is not optional leads nowhere.
    """
    found = {**base, **services}
    for source in container.get("envFrom", []):
        key = "configMapRef" if "configMapRef" in source else "secretRef"
        data = references.get((_KINDS[key], source[key]["name"]))
        if data is None and not source[key].get("optional"):
            raise MissingReferenceError(f"no {_KINDS[key]} {source[key]['name']}")
        found |= {source.get("prefix", "") + name: value for name, value in (data or {}).items()}
    for entry in container.get("env", []):
        value = _value(pod, container, references, entry)
        if value is not None:
            found[entry["name"]] = expand(value, found) if "value" in entry else value
    return found


def _value(pod: Json, container: Json, references: References, entry: Json) -> str | None:
    source = entry.get("valueFrom", {})
    if "fieldRef" in source:
        return field(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return resource_field(pod, container, source["resourceFieldRef"])
    for key in ("configMapKeyRef", "secretKeyRef"):
        if key in source:
            reference = source[key]
            value = references.get((_KINDS[key], reference["name"]), {}).get(reference["key"])
            if value is None and not reference.get("optional"):
                raise MissingReferenceError(f"no key {reference['key']} in {_KINDS[key]} {reference['name']}")
            return value
    return str(entry.get("value", ""))


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Put values in place of `$(NAME)`; unknown names stay as they are, `$$` is one dollar."""

    def replacement(match: re.Match[str]) -> str:
        return "$" if match[1] == "$" else environment.get(match[2], match[0])

    return _REFERENCE.sub(replacement, text)


def decoded(kind: str, item: Json) -> dict[str, bytes]:
    """Data of a ConfigMap or Secret."""
    if kind == "Secret":
        return {key: base64.b64decode(value) for key, value in (item.get("data") or {}).items()}
    texts = {key: value.encode() for key, value in (item.get("data") or {}).items()}
    return texts | {key: base64.b64decode(value) for key, value in (item.get("binaryData") or {}).items()}
