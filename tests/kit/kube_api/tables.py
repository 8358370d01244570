"""Tables: the columns of `kubectl get`, made by the server.

A custom resource's columns come from its definition, simple JSON paths only; of built-in kinds the commonest have
theirs, the others show name and age.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from tests.kit.kube_api.clock import ServerClock
from tests.kit.kube_api.kinds import Kind
from tests.kit.kube_api.objects import Json, meta

__all__ = ["Tables"]

_Cell = Callable[[Json], Any]
_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\[\?\(@\.(\w+)\s*==\s*['\"]([^'\"]*)['\"]\)\]")


class Tables:
    """Shows objects as rows. The columns are sent once per watch."""

    def __init__(self, kind: Kind, clock: ServerClock, *, include: str) -> None:
        self._kind = kind
        self._clock = clock
        self._include = include
        self._told = False

    def one(self, item: Json) -> Json:
        """A table of one row."""
        return self.many([item], {"resourceVersion": meta(item).get("resourceVersion", "")})

    def many(self, items: Sequence[Json], metadata: Json) -> Json:
        """A table of all rows."""
        columns = self._columns()
        definitions = [
            {
                "name": name,
                "type": kind,
                "format": "name" if name == "Name" else "",
                "description": "",
                "priority": rank,
            }
            for name, kind, rank, _ in columns
        ]
        return {
            "kind": "Table",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "columnDefinitions": definitions,
            "rows": [self._row(item, [cell for *_, cell in columns]) for item in items],
        }

    def event(self, item: Json) -> Json:
        """A table of one row; only the first has column definitions."""
        table = self.one(item)
        if self._told:
            table["columnDefinitions"] = None
        self._told = True
        return table

    def _row(self, item: Json, cells: list[_Cell]) -> Json:
        partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta(item)}
        typed = {"kind": self._kind.kind, "apiVersion": self._kind.api_version, **item}
        row: Json = {"cells": [cell(item) for cell in cells]}
        if self._include != "None":
            row["object"] = typed if self._include == "Object" else partial
        return row

    def _columns(self) -> list[tuple[str, str, int, _Cell]]:
        name: tuple[str, str, int, _Cell] = ("Name", "string", 0, lambda item: meta(item).get("name", ""))
        age: tuple[str, str, int, _Cell] = ("Age", "string", 0, self._age)
        if self._kind.columns:
            return [name, *(self._custom(column) for column in self._kind.columns)]
        own = _BUILTIN.get(self._kind.kind, ())
        return [name, *((label, "string", 0, cell) for label, cell in own), age]

    def _custom(self, column: Mapping[str, Any]) -> tuple[str, str, int, _Cell]:
        path, is_date = column["jsonPath"], column["type"] == "date"
        return (
            column["name"],
            column["type"],
            column.get("priority", 0),
            lambda item: self._since(_find(item, path)) if is_date else _find(item, path),
        )

    def _age(self, item: Json) -> str:
        return self._since(meta(item).get("creationTimestamp"))

    def _since(self, text: Any) -> str:
        if not text:
            return "<unknown>"
        seconds = int((self._clock.now() - datetime.fromisoformat(text)).total_seconds())
        for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
            if seconds >= 2 * size:
                return f"{seconds // size}{unit}"
        return f"{seconds}s"


def _find(item: Any, path: str) -> Any:
    for name, index, field, value in _STEP.findall(path):
        if isinstance(item, dict) and name:
            item = item.get(name)
        elif isinstance(item, list) and index:
            item = item[int(index)] if int(index) < len(item) else None
        elif isinstance(item, list) and field:
            item = next((entry for entry in item if entry.get(field) == value), None)
        else:
            return None
    return item


def _spec(name: str, default: Any = "") -> _Cell:
    return lambda item: (item.get("spec") or {}).get(name, default)


def _status(name: str, default: Any = 0) -> _Cell:
    return lambda item: (item.get("status") or {}).get(name, default)


def _ready_containers(item: Json) -> str:
    states = (item.get("status") or {}).get("containerStatuses") or ()
    return f"{sum(bool(state.get('ready')) for state in states)}/{len(item['spec'].get('containers') or ())}"


def _restarts(item: Json) -> str:
    return str(sum(state.get("restartCount", 0) for state in (item.get("status") or {}).get("containerStatuses") or ()))


def _pod_status(item: Json) -> str:
    return "Terminating" if meta(item).get("deletionTimestamp") else str((item.get("status") or {}).get("phase", ""))


def _ready_replicas(item: Json) -> str:
    return f"{(item.get('status') or {}).get('readyReplicas', 0)}/{item['spec'].get('replicas', 0)}"


def _ports(item: Json) -> str:
    ports = (f"{port['port']}/{port.get('protocol', 'TCP')}" for port in item["spec"].get("ports") or ())
    return ",".join(ports) or "<none>"


def _keys(item: Json) -> int:
    return len(item.get("data") or {}) + len(item.get("binaryData") or {})


_BUILTIN: Final[Mapping[str, tuple[tuple[str, _Cell], ...]]] = {
    "ConfigMap": (("Data", _keys),),
    "Deployment": (
        ("Ready", _ready_replicas),
        ("Up-to-date", _status("updatedReplicas")),
        ("Available", _status("availableReplicas")),
    ),
    "EndpointSlice": (("AddressType", lambda item: item.get("addressType", "")),),
    "Lease": (("Holder", _spec("holderIdentity")),),
    "Namespace": (("Status", _status("phase", "")),),
    "Node": (("Status", lambda _: "Ready"),),
    "Pod": (("Ready", _ready_containers), ("Status", _pod_status), ("Restarts", _restarts)),
    "Secret": (("Type", lambda item: item.get("type", "")), ("Data", _keys)),
    "Service": (
        ("Type", _spec("type")),
        ("Cluster-IP", _spec("clusterIP", "<none>")),
        ("External-IP", lambda _: "<none>"),
        ("Port(s)", _ports),
    ),
    "ServiceAccount": (("Secrets", lambda item: len(item.get("secrets") or ())),),
}
