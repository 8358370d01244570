from __future__ import annotations

from prometheus_client import CollectorRegistry

from agent.status.metrics import StatusMetrics
from discovery.runtime.metrics import render_metrics


def test_names_are_those_of_dashboards() -> None:
    """Exactly these, with the closed set of sources."""
    registry = CollectorRegistry()
    metrics = StatusMetrics(registry)
    metrics.scrapes.inc()
    metrics.scrape_failures.inc("envoy")
    text = render_metrics(registry).decode()
    assert "istio_agent_scrapes_total 1.0" in text
    assert 'istio_agent_scrape_failures_total{type="envoy"} 1.0' in text
    assert "istio_agent_startup_duration_seconds 0.0" in text
