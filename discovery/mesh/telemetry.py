"""Which access logs a workload writes: Telemetry of the mesh, of its namespace and of the workload itself, combined.

Of each level one object counts: without a selector the oldest of the root namespace and of the workload's own, then
the oldest of its own namespace that selects it. What comes later narrows or takes back what came before. Traffic out
of a workload (``CLIENT``) and into it (``SERVER``) are decided apart.

Spec: https://istio.io/latest/docs/reference/config/telemetry/#AccessLogging
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from discovery.engine import Database, query
from discovery.mesh.peer_authentication import root_namespace
from discovery.mesh.proxy import Labels
from discovery.schema.extension_providers import ExtensionProvider
from discovery.schema.meta import Kind, Object, ObjectKey, age_order
from discovery.schema.telemetry import AccessLogging, Telemetry, Tracing, WorkloadMode
from discovery.store.cells import MESH, NAMES, OBJECT, InNamespace

__all__ = [
    "AccessLogChoice",
    "Aspect",
    "LoggedWorkload",
    "access_logging",
    "extension_provider",
    "is_meant",
    "levels_of",
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


class Aspect(StrEnum):
    """What Telemetry speaks of, by its field."""

    LOGGING = "access_logging"
    TRACING = "tracing"


class _Telemetry(NamedTuple):
    """What an object says of one aspect; a change of another one stops here."""

    selector: Labels
    said: tuple[Any, ...]


class _Spoken(NamedTuple):
    """An aspect in a namespace."""

    namespace: str
    aspect: Aspect


@query
def _telemetries(db: Database, spoken: _Spoken) -> tuple[_Telemetry, ...]:
    """The objects of a namespace that speak of this aspect of workloads, oldest first."""
    names = NAMES(db, InNamespace(Kind.TELEMETRY, spoken.namespace))
    objects = [OBJECT(db, ObjectKey(Kind.TELEMETRY, spoken.namespace, name)) for name in names]
    ordered = sorted((obj for obj in objects if obj is not None), key=age_order)
    found = (_telemetry(obj, spoken.aspect) for obj in ordered if _is_about_workloads(obj.spec))
    return tuple(telemetry for telemetry in found if telemetry.said)


def _is_about_workloads(spec: Telemetry) -> bool:
    return spec.target_ref is None and not spec.target_refs


def _telemetry(obj: Object, aspect: Aspect) -> _Telemetry:
    spec: Telemetry = obj.spec
    selector = () if spec.selector is None else tuple(sorted(spec.selector.wanted.items()))
    return _Telemetry(selector, getattr(spec, aspect))


@query
def telemetry_label_keys(db: Database, namespace: str) -> frozenset[str]:
    """Label keys that Telemetry of a namespace selects workloads by; other labels cannot matter."""
    found = (telemetry for aspect in Aspect for telemetry in _telemetries(db, _Spoken(namespace, aspect)))
    return frozenset(key for telemetry in found for key, _ in telemetry.selector)


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
    levels = levels_of(db, workload, Aspect.LOGGING)
    if not levels:
        return tuple(AccessLogChoice(name) for name in sorted(set(defaults))) or None
    return _combined([[said for said in level if is_meant(said, workload.mode)] for level in levels], defaults)


def levels_of(db: Database, workload: LoggedWorkload, aspect: Aspect) -> list[tuple[Any, ...]]:
    """What each level says of an aspect, the mesh first."""
    own = _telemetries(db, _Spoken(workload.namespace, aspect))
    root = root_namespace(db, None)
    levels = [_first(_telemetries(db, _Spoken(root, aspect)))] if workload.namespace != root else []
    levels.append(_first(own))
    labels = set(workload.labels)
    levels.append(next((t for t in own if t.selector and labels.issuperset(t.selector)), None))
    return [telemetry.said for telemetry in levels if telemetry is not None]


def _first(telemetries: Iterable[_Telemetry]) -> _Telemetry | None:
    return next((telemetry for telemetry in telemetries if not telemetry.selector), None)


def is_meant(said: AccessLogging | Tracing, mode: WorkloadMode) -> bool:
    """Whether a statement is about traffic of this direction."""
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
