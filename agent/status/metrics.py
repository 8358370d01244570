"""Counters of the status server, under the names that dashboards of Istio's agent know."""

from __future__ import annotations

from agent.metrics import Counter, Gauge, Registry

__all__ = ["StatusMetrics"]


class StatusMetrics:
    """What the status server counts. Without a registry it counts unseen, for tests."""

    def __init__(self, registry: Registry | None = None) -> None:
        self.startup_duration = Gauge(
            "istio_agent_startup_duration_seconds", "From the start of the agent to a ready Envoy.", registry=registry
        )
        self.scrapes = Counter("istio_agent_scrapes_total", "Scrapes of merged metrics.", registry=registry)
        self.scrape_failures = Counter(
            "istio_agent_scrape_failures_total",
            "Sources that a scrape had to leave out.",
            registry=registry,
            label="type",
            values=("envoy", "application", "agent"),
        )
