"""Counters of the webhooks."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from discovery.runtime.metrics import render_metrics
from discovery.webhooks.metrics import Refusal, WebhookMetrics


def test_names_and_labels() -> None:
    """As dashboards know them; kinds that nobody knows share one series."""
    registry = CollectorRegistry()
    metrics = WebhookMetrics(registry)
    metrics.requests.inc()
    metrics.seconds.observe(0.003)
    metrics.passed.inc("networking.istio.io", "VirtualService")
    for kind in ("Made", "Up"):
        metrics.failed.inc("example.com", kind, Refusal.UNKNOWN_KIND)
    metrics.http_errors.inc("415")
    text = render_metrics(registry).decode()
    for line in (
        "sidecar_injection_requests_total 1.0",
        "sidecar_injection_success_total 0.0",
        "sidecar_injection_failure_total 0.0",
        "sidecar_injection_skip_total 0.0",
        "sidecar_injection_time_seconds_count 1.0",
        'galley_validation_passed{group="networking.istio.io",resource="VirtualService"} 1.0',
        'galley_validation_failed{group="other",reason="unknown_resource_type",resource="other"} 2.0',
        'galley_validation_http_error{status="415"} 1.0',
    ):
        assert line in text.splitlines()
