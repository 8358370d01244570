"""The counters have the names that dashboards know."""

from __future__ import annotations

from agent.dns.metrics import DnsMetrics
from agent.metrics import Registry


def test_names_are_those_of_dashboards() -> None:
    """And few of our own."""
    registry = Registry()
    metrics = DnsMetrics(registry)
    metrics.upstream_duration.observe(0.002)
    text = registry.render().decode()
    names = {
        line.split()[2].removeprefix("istio_agent_dns_") for line in text.splitlines() if line.startswith("# TYPE")
    }
    assert names == {
        "requests_total",
        "upstream_requests_total",
        "upstream_failures_total",
        "upstream_request_duration_seconds",
        "negative_cache_hits_total",
        "overflow_total",
    }
    assert 'istio_agent_dns_upstream_request_duration_seconds_bucket{le="0.005"} 1' in text
