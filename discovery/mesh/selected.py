"""Which workloads a selector means, found by label: a namespace may have thousands of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from discovery.engine import Database, query
from discovery.mesh.proxy import Labels
from discovery.registry.from_workload_entry import workload_entry_labels
from discovery.schema.meta import Kind, ObjectKey
from discovery.store.cells import NAMES, OBJECT, InNamespace

__all__ = ["Selector", "selected"]


class Selector(NamedTuple):
    """Workloads of one kind that carry all of these labels; without labels it means none."""

    kind: Kind  # POD or WORKLOAD_ENTRY
    namespace: str
    labels: Labels


class _Label(NamedTuple):
    workloads: InNamespace
    label: tuple[str, str]


@query
def _labels(db: Database, key: ObjectKey) -> frozenset[tuple[str, str]]:
    """The labels of a workload; a change of its address or health stops here."""
    obj = OBJECT(db, key)
    if obj is None:
        return frozenset()
    labels = workload_entry_labels(obj) if key.kind is Kind.WORKLOAD_ENTRY else obj.meta.labels
    return frozenset(labels.items())


@query
def _by_label(db: Database, workloads: InNamespace) -> Mapping[tuple[str, str], tuple[ObjectKey, ...]]:
    """The workloads of a namespace by each of their labels, sorted by name."""
    found: dict[tuple[str, str], list[ObjectKey]] = {}
    for name in sorted(NAMES(db, workloads)):
        key = ObjectKey(workloads.kind, workloads.namespace, name)
        for label in _labels(db, key):
            found.setdefault(label, []).append(key)
    return {label: tuple(keys) for label, keys in found.items()}


@query
def _with_label(db: Database, at: _Label) -> tuple[ObjectKey, ...]:
    return _by_label(db, at.workloads).get(at.label, ())


def selected(db: Database, selector: Selector) -> tuple[ObjectKey, ...]:
    """The workloads that a selector means, sorted by name; for use inside a query of one's own."""
    if not selector.labels:
        return ()
    workloads = InNamespace(selector.kind, selector.namespace)
    rarest = min((_with_label(db, _Label(workloads, label)) for label in selector.labels), key=len)
    if len(selector.labels) == 1:
        return rarest
    wanted = frozenset(selector.labels)
    return tuple(key for key in rarest if wanted <= _labels(db, key))
