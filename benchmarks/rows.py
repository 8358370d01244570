"""A measured figure, and the budget it is held to (design section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

__all__ = ["BUDGETS", "ISTIOD_RENDERING_MS", "Budget", "Row", "row"]


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure may be at most, beside what istiod 1.32-dev needs for the same."""

    question: str
    limit: float
    istiod: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the results; ``budget`` and ``met`` are None for figures that only inform."""

    name: str
    scenario: str
    value: float
    unit: str
    budget: float | None = None
    met: bool | None = None


# Milliseconds that istiod needs for its own benchmark's cases, cold, for one proxy.
ISTIOD_RENDERING_MS: Mapping[str, float] = MappingProxyType(
    {
        "render_route_gateways": 22.8,
        "render_route_gateways-shared": 64.3,
        "render_route_http": 0.36,
        "render_route_virtualservice": 1.1,
        "render_cluster_gateways": 13.7,
        "render_cluster_http": 1.39,
        "render_cluster_tls": 1.58,
        "render_cluster_serviceentry-workloadentry": 6.7,
        "render_listener_gateways": 18.3,
        "render_listener_http": 0.12,
        "render_listener_tcp": 0.50,
        "render_listener_auto": 1.9,
        "render_listener_authorizationpolicy": 0.93,
    }
)

BUDGETS: Mapping[str, Budget] = MappingProxyType(
    {
        "cold_first_sidecar_cpu": Budget(
            question="first configuration of one sidecar, cold: CPU", limit=60, istiod="120 ms"
        ),
        "next_sidecar_cpu": Budget(
            question="each further sidecar of the same scope connects: CPU", limit=5, istiod="32 ms warm, 82 ms cold"
        ),
        "endpoint_change_cpu_per_proxy": Budget(
            question="one endpoint changes: CPU per proxy", limit=0.14, istiod="0.27 ms"
        ),
        "endpoint_change_last_ack": Budget(question="one endpoint changes: last ACK", limit=0.3, istiod="0.43 s"),
        "virtual_service_change_cpu_per_proxy": Budget(
            question="one VirtualService changes: CPU per proxy", limit=0.2, istiod="4.5-5.0 ms"
        ),
        "virtual_service_change_bytes_per_proxy": Budget(
            question="one VirtualService changes: bytes per proxy", limit=2, istiod="518 KB"
        ),
        "virtual_service_change_last_ack": Budget(
            question="one VirtualService changes: last ACK", limit=0.5, istiod="3.4 s"
        ),
        "service_added_cpu_per_proxy": Budget(
            question="one service is added: CPU per proxy", limit=0.5, istiod="7.8 ms"
        ),
        "service_added_bytes_per_proxy": Budget(
            question="one service is added: bytes per proxy", limit=8, istiod="1.6 MB"
        ),
        "service_added_last_ack": Budget(question="one service is added: last ACK", limit=1, istiod="6.9 s"),
        "change_elsewhere_responses": Budget(question="a change that no sidecar can see: responses", limit=0),
        "reconnect_cpu_per_proxy": Budget(
            question="all reconnect, nothing changed, versions known: CPU per proxy", limit=2, istiod="30 ms"
        ),
        "reconnect_resources": Budget(
            question="all reconnect, nothing changed: resources sent again", limit=0, istiod="2.8 MB per proxy, 21 s"
        ),
        "memory": Budget(question="resident memory of the control plane", limit=250, istiod="1.2-2.2 GB"),
        # istiod's own figure is 0.0: less than half a tenth of a second.
        "idle_cpu": Budget(question="CPU in 5 s while nothing changes", limit=0.05, istiod="0.0 s"),
        "route_effective_p99": Budget(
            question="one route edited among 3000: effective at Envoy, p99", limit=50, istiod="120-300 ms"
        ),
        "route_effective_under_load_p99": Budget(
            question="one route edited among 3000, under load: effective at Envoy, p99", limit=100
        ),
        "route_edit_failed_requests": Budget(question="requests that failed while routes were edited", limit=0),
        "agent_ready": Budget(question="agent start to Envoy ready", limit=1.5),
        "agent_memory": Budget(question="agent memory, relaying this configuration", limit=42, istiod="42 MB"),
        "agent_idle_cpu": Budget(question="agent CPU, idle", limit=0.1),
        "memory_after_changes": Budget(
            question="resident memory after all changes and reconnects", limit=250, istiod="1.2-2.2 GB"
        ),
        "time_series": Budget(question="time series exported", limit=1000, istiod="grows"),
        "flat_endpoint_change": Budget(question="endpoint change: cost per proxy, larger over smaller", limit=1.3),
        "flat_virtual_service_change": Budget(
            question="VirtualService change: cost per proxy, larger over smaller", limit=1.3
        ),
        # No case slower than twice istiod.
        **{
            name: Budget(question=f"{name.replace('_', ' ')}: time", limit=2 * istiod_ms, istiod=f"{istiod_ms:g} ms")
            for name, istiod_ms in ISTIOD_RENDERING_MS.items()
        },
    }
)


def row(name: str, scenario: str, value: float, unit: str) -> Row:
    """A row, judged by its budget when it has one."""
    budget = BUDGETS.get(name)
    limit = budget.limit if budget is not None else None
    met = value <= limit if limit is not None else None
    return Row(name=name, scenario=scenario, value=float(f"{value:.4g}"), unit=unit, budget=limit, met=met)
