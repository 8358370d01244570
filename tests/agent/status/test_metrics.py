from __future__ import annotations

from agent.metrics import Registry
from agent.status.metrics import StatusMetrics


def test_names_are_those_of_dashboards() -> None:
    """Exactly these, with the closed set of sources."""
    registry = Registry()
    metrics = StatusMetrics(registry)
    metrics.scrapes.inc()
    metrics.scrape_failures.inc("envoy")
    text = registry.render().decode()
    assert "istio_agent_scrapes_total 1.0" in text
    assert 'istio_agent_scrape_failures_total{type="envoy"} 1.0' in text
    assert "istio_agent_startup_duration_seconds 0.0" in text
