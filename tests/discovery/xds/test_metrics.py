"""The names that operators know, with labels of closed sets."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from discovery.runtime.metrics import PlainHistogram, render_metrics
from discovery.xds.metrics import XdsMetrics


def text(registry: CollectorRegistry) -> str:
    return render_metrics(registry).decode()


def test_names_are_those_of_istiod() -> None:
    """Dashboards and alerts go on working."""
    registry = CollectorRegistry()
    metrics = XdsMetrics(registry)
    metrics.pushes.inc("cds")
    metrics.connections.inc("1.30.0")
    metrics.rejects.inc("eds")
    metrics.expired.inc("rds")
    metrics.triggers.inc("endpoint")
    metrics.convergence.observe(0.2)
    lines = text(registry).splitlines()
    for line in (
        'pilot_xds_pushes{type="cds"} 1.0',
        'pilot_xds{version="1.30.0"} 1.0',
        'pilot_total_xds_rejects{type="eds"} 1.0',
        'pilot_xds_expired_nonce{type="rds"} 1.0',
        'pilot_push_triggers{type="endpoint"} 1.0',
        'pilot_proxy_convergence_time_bucket{le="0.1"} 0.0',
        'pilot_proxy_convergence_time_bucket{le="0.5"} 1.0',
        'pilot_proxy_convergence_time_bucket{le="+Inf"} 1.0',
        "pilot_proxy_convergence_time_count 1.0",
        "pilot_proxy_convergence_time_sum 0.2",
    ):
        assert line in lines, line


def test_a_fleet_of_many_versions_is_a_few_series() -> None:
    """A label that clients choose must not grow without end."""
    registry = CollectorRegistry()
    metrics = XdsMetrics(registry)
    for number in range(100):
        metrics.connections.inc(f"1.{number}")
    metrics.connections.dec("1.0")
    lines = [line for line in text(registry).splitlines() if line.startswith("pilot_xds{")]
    assert len(lines) == 17
    assert 'pilot_xds{version="other"} 83.0' in lines


def test_a_histogram_counts_each_observation_once() -> None:
    """On the bound belongs to the bucket, above all to the last."""
    histogram = PlainHistogram("h", "", buckets=(1, 2), label="type", values=("a",))
    for amount in (0.5, 1.0, 1.5, 99):
        histogram.observe(amount, "a")
    (metric,) = histogram.collect()
    assert [sample.value for sample in metric.samples] == [2, 3, 4, 4, 102.0]
    assert histogram.count("a") == 4
