"""The listeners of a view by name: what the generators serve as LDS."""

from __future__ import annotations

from discovery.engine import Database, query
from discovery.mesh.proxy import InboundView, OutboundView
from discovery.mesh.telemetry import LoggedWorkload
from discovery.schema.telemetry import WorkloadMode
from discovery.translate.filters.workload_logs import workload_access_logs
from discovery.translate.filters.workload_tracing import TracedWorkload, workload_tracing
from discovery.translate.listeners.conflicts import Conflict
from discovery.translate.listeners.inbound import inbound_specs
from discovery.translate.listeners.inbound_ports import InboundConflict, inbound_ports
from discovery.translate.listeners.outbound import outbound_selection
from discovery.translate.listeners.render import ListenerKey, ListenerTelemetry, listener
from discovery.translate.tables import Index, ResourceRef

__all__ = ["inbound_conflicts", "inbound_listener_index", "outbound_conflicts", "outbound_listener_index"]


@query
def outbound_listener_index(db: Database, view: OutboundView) -> Index:
    """Outbound listeners: per port or address, HTTP proxy, capture."""
    telemetry = _telemetry(db, view, WorkloadMode.CLIENT)
    selected = outbound_selection(db, view).listeners
    return {spec.name: ResourceRef(listener, ListenerKey(spec, telemetry)) for spec in selected}


@query
def inbound_listener_index(db: Database, view: InboundView) -> Index:
    """Inbound listeners: capture, then those that bind."""
    telemetry = _telemetry(db, view, WorkloadMode.SERVER)
    return {spec.name: ResourceRef(listener, ListenerKey(spec, telemetry)) for spec in inbound_specs(db, view)}


def _telemetry(db: Database, view: OutboundView | InboundView, mode: WorkloadMode) -> ListenerTelemetry:
    labels = view.telemetry_labels
    return ListenerTelemetry(
        workload_access_logs(db, LoggedWorkload(view.scope.namespace, labels, mode)),
        workload_tracing(db, TracedWorkload(view.scope, labels, mode, view.tracing)),
    )


@query
def outbound_conflicts(db: Database, view: OutboundView) -> tuple[Conflict, ...]:
    """Service ports that got no outbound listener, and why."""
    return outbound_selection(db, view).conflicts


@query
def inbound_conflicts(db: Database, view: InboundView) -> tuple[InboundConflict, ...]:
    """Service ports that got no inbound chain: an older service has the port with another protocol."""
    return inbound_ports(db, view).conflicts
