"""Which access logs a workload writes: Telemetry of the mesh, of its namespace and of the workload itself, combined.

Of each level one object counts: without a selector the oldest of the root namespace and of the workload's own, then
the oldest of its own namespace that selects it. What comes later narrows or takes back what came before. Traffic out
of a workload (``CLIENT``) and into it (``SERVER``) are decided apart.

Spec: https://istio.io/latest/docs/reference/config/telemetry/#AccessLogging
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from discovery.engine import Database, query
from discovery.mesh.peer_authentication import root_namespace
from discovery.mesh.proxy import Labels
from discovery.schema.extension_providers import ExtensionProvider
from discovery.schema.meta import Kind, Object, ObjectKey, age_order
from discovery.schema.telemetry import AccessLogging, Telemetry, WorkloadMode
from discovery.store.cells import MESH, NAMES, OBJECT, InNamespace

__all__ = [
    "AccessLogChoice",
    "LoggedWorkload",
    "access_logging",
    "extension_provider",
    "telemetry_label_keys",
]


class LoggedWorkload(NamedTuple):
    """A workload as Telemetry selects it, and one direction of its traffic."""

    namespace: str
    labels: Labels  # only those in ``telemetry_label_keys``
    mode: WorkloadMode  # CLIENT or SERVER


class AccessLogChoice(NamedTuple):
    """A log that is written."""

    provider: str  # of the mesh configuration's ``extensionProviders``
    expression: str = ""  # CEL over a request or connection; what it rejects is not logged


class _Telemetry(NamedTuple):
    """What access logs need of an object; a change of its metrics or tracing stops here."""

    selector: Labels
    logging: tuple[AccessLogging, ...]


@query
def _telemetries(db: Database, namespace: str) -> tuple[_Telemetry, ...]:
    """The objects of a namespace that speak of access logs of workloads, oldest first."""
    names = NAMES(db, InNamespace(Kind.TELEMETRY, namespace))
    objects = [OBJECT(db, ObjectKey(Kind.TELEMETRY, namespace, name)) for name in names]
    ordered = sorted((obj for obj in objects if obj is not None), key=age_order)
    return tuple(_telemetry(obj) for obj in ordered if _is_about_workloads(obj.spec) and obj.spec.access_logging)


def _is_about_workloads(spec: Telemetry) -> bool:
    return spec.target_ref is None and not spec.target_refs


def _telemetry(obj: Object) -> _Telemetry:
    spec: Telemetry = obj.spec
    selector = () if spec.selector is None else tuple(sorted(spec.selector.wanted.items()))
    return _Telemetry(selector, spec.access_logging)


@query
def telemetry_label_keys(db: Database, namespace: str) -> frozenset[str]:
    """Label keys that Telemetry of a namespace selects workloads by; other labels cannot matter."""
    return frozenset(key for telemetry in _telemetries(db, namespace) for key, _ in telemetry.selector)


@query
def _default_providers(db: Database, _: None) -> tuple[str, ...]:
    return MESH(db, None).default_providers.access_logging


@query
def extension_provider(db: Database, name: str) -> ExtensionProvider | None:
    """A provider of the mesh configuration; a change of another one stops here."""
    return next((found for found in MESH(db, None).extension_providers if found.name == name), None)


@query
def access_logging(db: Database, workload: LoggedWorkload) -> tuple[AccessLogChoice, ...] | None:
    """The logs of a workload by their providers' names; None: nobody decides, and the mesh's own log is written."""
    defaults = _default_providers(db, None)
    levels = _levels(db, workload)
    if not levels:
        return tuple(AccessLogChoice(name) for name in sorted(set(defaults))) or None
    return _combined([[said for said in level if _is_meant(said, workload.mode)] for level in levels], defaults)


def _levels(db: Database, workload: LoggedWorkload) -> list[tuple[AccessLogging, ...]]:
    """What each level says, the mesh first."""
    own = _telemetries(db, workload.namespace)
    root = root_namespace(db, None)
    levels = [_first(_telemetries(db, root))] if workload.namespace != root else []
    levels.append(_first(own))
    labels = set(workload.labels)
    levels.append(next((t for t in own if t.selector and labels.issuperset(t.selector)), None))
    return [telemetry.logging for telemetry in levels if telemetry is not None]


def _first(telemetries: Iterable[_Telemetry]) -> _Telemetry | None:
    return next((telemetry for telemetry in telemetries if not telemetry.selector), None)


def _is_meant(said: AccessLogging, mode: WorkloadMode) -> bool:
    return said.match is None or said.match.mode in (WorkloadMode.CLIENT_AND_SERVER, mode)


def _combined(
    levels: Sequence[Sequence[AccessLogging]], defaults: tuple[str, ...]
) -> tuple[AccessLogChoice, ...] | None:
    """The last level that names providers says which there are, the last statement about a provider what it logs."""
    in_force: Iterable[str] = defaults
    for level in levels:
        in_force = [name for said in level for name in _named(said)] or in_force
    wanted = frozenset(in_force)
    decided: dict[str, AccessLogChoice | None] = {}
    named = defaults  # a statement without providers is about those of the one before it
    for said in (said for level in levels for said in level):
        named = _named(said) or named
        for name in wanted.intersection(named):
            expression = said.filter.expression if said.filter is not None else ""
            decided[name] = None if said.disabled else AccessLogChoice(name, expression)
    if not decided:
        return None
    return tuple(choice for _, choice in sorted(decided.items()) if choice is not None)


def _named(said: AccessLogging) -> tuple[str, ...]:
    return tuple(provider.name for provider in said.providers)
