"""Which spans a workload reports, and to whom: Telemetry of the mesh, of its namespace and of the workload, combined.

Levels are those of access logs. A later statement replaces each field that it has of an earlier one; of several
providers the first counts, as Envoy has one tracer for each connection manager.

Spec: https://istio.io/latest/docs/reference/config/telemetry/#Tracing
"""

from __future__ import annotations

import msgspec

from discovery.engine import Database, query
from discovery.mesh.telemetry import Aspect, LoggedWorkload, is_meant, levels_of
from discovery.schema.telemetry import CustomTag
from discovery.store.cells import MESH

__all__ = ["TracingChoice", "mesh_sampling", "tracing"]

_DEFAULT_SAMPLING = 1.0


class TracingChoice(msgspec.Struct, frozen=True, kw_only=True):
    """What Telemetry says of spans in one direction; ``provider`` is empty where none is reported."""

    provider: str = ""
    sampling: float | None = None  # percent; None: as the proxy's own configuration says
    tags: tuple[tuple[str, CustomTag], ...] = ()
    istio_tags: bool = True


@query
def _default_provider(db: Database, _: None) -> str:
    return next(iter(MESH(db, None).default_providers.tracing), "")


@query
def mesh_sampling(db: Database, _: None) -> float:
    """Percent of requests of which spans are reported where nothing else says how many."""
    said = MESH(db, None).default_config.tracing
    return said.sampling if said is not None and said.sampling else _DEFAULT_SAMPLING


@query
def tracing(db: Database, workload: LoggedWorkload) -> TracingChoice | None:
    """What is said of the spans of a workload; None: nothing, and its bootstrap's tracer is used if it has one."""
    provider = _default_provider(db, None)
    levels = levels_of(db, workload, Aspect.TRACING)
    if not levels and not provider:
        return None
    choice, disabled = TracingChoice(provider=provider), False
    for said in (said for level in levels for said in level if is_meant(said, workload.mode)):
        changes: dict[str, object] = {}
        if said.providers:
            changes["provider"] = said.providers[0].name
        if said.random_sampling_percentage is not None:
            changes["sampling"] = said.random_sampling_percentage
        if said.custom_tags:
            changes["tags"] = tuple(sorted(said.custom_tags.items()))
        if said.enable_istio_tags is not None:
            changes["istio_tags"] = said.enable_istio_tags
        if said.disable_span_reporting is not None:
            disabled = said.disable_span_reporting
        choice = msgspec.structs.replace(choice, **changes)
    return msgspec.structs.replace(choice, provider="") if disabled else choice
