"""Which lists are maps or sets in disguise, and which maps are one value: what merging and field ownership go by.

Built-in kinds are told from field names, which Kubernetes uses consistently; custom resources say it in their schema.
Spec: https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from tests.kit.kube_api.kinds import Kind
from tests.kit.kube_api.objects import Json

__all__ = ["ATOMIC", "GRANULAR", "SET", "Path", "Shape", "ShapeOf", "item_key", "shapes_of", "strategic_key"]

Path: TypeAlias = tuple[str, ...]
"""Field names from the root, list items left out: `("spec", "containers", "ports")`."""


class Shape(msgspec.Struct, frozen=True):
    """How a list or map is merged. `keys` identify a list's items; `granular` is false for one indivisible value."""

    granular: bool = True
    keys: tuple[str, ...] = ()
    is_set: bool = False


ATOMIC: Final = Shape(granular=False)
GRANULAR: Final = Shape()
SET: Final = Shape(is_set=True)
ShapeOf: TypeAlias = Callable[[Path, object], Shape]

_CONTAINERS: Final = Shape(keys=("name",))
_LISTS: Final[Mapping[str, Shape]] = {
    "containers": _CONTAINERS,
    "initContainers": _CONTAINERS,
    "ephemeralContainers": _CONTAINERS,
    "containers.ports": Shape(keys=("containerPort", "protocol")),
    "initContainers.ports": Shape(keys=("containerPort", "protocol")),
    "env": Shape(keys=("name",)),
    "volumes": Shape(keys=("name",)),
    "volumeMounts": Shape(keys=("mountPath",)),
    "volumeDevices": Shape(keys=("devicePath",)),
    "spec.imagePullSecrets": Shape(keys=("name",)),
    "hostAliases": Shape(keys=("ip",)),
    "topologySpreadConstraints": Shape(keys=("topologyKey", "whenUnsatisfiable")),
    "conditions": Shape(keys=("type",)),
    "ownerReferences": Shape(keys=("uid",)),
    "finalizers": SET,
    "secrets": Shape(keys=("name",)),
    "webhooks": Shape(keys=("name",)),
    "matchConditions": Shape(keys=("name",)),
    "resourceClaims": Shape(keys=("name",)),
    "podIPs": Shape(keys=("ip",)),
    "status.addresses": Shape(keys=("type",)),
}
_SERVICE_PORTS: Final = Shape(keys=("port", "protocol"))
_ATOMIC_MAPS: Final = frozenset(
    {"selector", "podSelector", "namespaceSelector", "objectSelector", "labelSelector", "nodeSelector"}
    | {"fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "roleRef", "involvedObject", "targetRef"}
)
_ITEM_DEFAULTS: Final = {"protocol": "TCP"}
"""Key fields that may be left out; their default counts."""
_OWN_KEYS: Final = {"imagePullSecrets": "name"}


def _builtin(kind: str) -> ShapeOf:
    def shape(path: Path, value: object) -> Shape:
        name = path[-1] if path else ""
        if isinstance(value, dict):
            return ATOMIC if name in _ATOMIC_MAPS else GRANULAR
        if kind == "Service" and path == ("spec", "ports"):
            return _SERVICE_PORTS
        found = _LISTS.get(".".join(path[-2:])) or _LISTS.get(name) or ATOMIC
        fits = (isinstance(value, list) and all(isinstance(item, dict) for item in value)) or found.is_set
        return found if fits else ATOMIC

    return shape


def _custom(schema: Json) -> ShapeOf:
    metadata = _builtin("")

    def shape(path: Path, value: object) -> Shape:
        if path[:1] == ("metadata",):
            return metadata(path, value)
        found = _descend(schema, path)
        if isinstance(value, dict):
            return ATOMIC if found.get("x-kubernetes-map-type") == "atomic" else GRANULAR
        match found.get("x-kubernetes-list-type"):
            case "map":
                return Shape(keys=tuple(found.get("x-kubernetes-list-map-keys") or ()))
            case "set":
                return SET
            case _:
                return ATOMIC

    return shape


def _descend(schema: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    for name in path:
        schema = schema.get("items", schema)
        inner = (schema.get("properties") or {}).get(name) or schema.get("additionalProperties")
        schema = inner if isinstance(inner, dict) else {}
    return schema


def shapes_of(kind: Kind) -> ShapeOf:
    """The shapes in objects of a kind."""
    return _custom(kind.schema or {}) if kind.custom else _builtin(kind.kind)


def item_key(shape: Shape, item: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """What identifies an item of a list that is a map in disguise."""
    pairs = ((key, item.get(key, _ITEM_DEFAULTS.get(key))) for key in shape.keys)
    return tuple((key, value) for key, value in pairs if value is not None)


def strategic_key(kind: str, path: Path, items: list[Any]) -> str:
    """The one merge key of strategic merge patches; empty where the list is replaced as a whole."""
    if path[-1:] == ("imagePullSecrets",):
        return _OWN_KEYS["imagePullSecrets"]
    shape = _builtin(kind)(path, items)
    return shape.keys[0] if shape.keys else ""
